"""Compare inference on a CPU: PyTorch eager and deployed, ONNX Runtime, OpenVINO, and peers.

    python -m benchmarks.runtimes [--threads 2] [--rounds 20] [--batch 1] [--only 'b0 512' …]

Every form of a network runs in one process, on the same images, in turns. Printed as Markdown: the
best time, the median over the rounds of time ÷ `deploy`'s in the same round, the file's size, and
the largest difference to eager PyTorch of the same network, as a share of the largest value. Peers
(timm's backbones, effdet's detectors) are exported as they advise, by torch.onnx in their own mode
for export, and run in the same runtimes.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from benchmarks.detectors import peers as detector_peers
from benchmarks.features import PEERS
from effnet_dense.analysis.detector import DetectorNetwork
from effnet_dense.deployment import deploy
from effnet_dense.exporting.attention import folded_for_export
from effnet_dense.exporting.network import DetectionNetwork
from effnet_dense.exporting.onnx_file import to_onnx
from effnet_dense.models import EfficientNet

CHANNELS_LAST = torch.channels_last
PEER = 'peer: '
RETINANET = 'effnet_lite0_retinanet_coco'
Run = Callable[[], Sequence[Any]]


class Case(NamedTuple):
    """A network and the side of its images in pixels."""

    name: str
    side: int
    make: Callable[[], nn.Module]
    peer: Callable[[], nn.Module] | None = None


class Form(NamedTuple):
    """One way to run a network; `size` is that of its file in bytes, 0 without one."""

    name: str
    run: Run
    size: int = 0


class Flat(nn.Module):
    """A network whose outputs are a flat list, whatever they are nested in."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) → tensors."""
        return list(_flat(self.network(images)))


def _flat(outputs: Any) -> Iterator[Tensor]:
    if isinstance(outputs, Tensor):
        yield outputs
    else:
        for output in outputs:
            yield from _flat(output)


def cases() -> list[Case]:
    """Return the networks of the table."""
    return [
        _backbone('b0', 512),
        _backbone('b2', 416),
        _backbone('b4', 384),
        _backbone('lite0', 320),
        Case(
            'd0 512',
            512,
            lambda: DetectorNetwork('d0', 0),
            lambda: _peer(detector_peers(512)[0], 'd0'),
        ),
        Case('retinanet lite0 320', 320, _retinanet),
    ]


def _backbone(arch: str, side: int) -> Case:
    timm = next(peer for peer in PEERS if peer.ecosystem == 'timm')
    return Case(f'{arch} {side}', side, lambda: EfficientNet(arch), lambda: _peer(timm, arch))


def _peer(peer: Any, name: str) -> nn.Module:
    from timm.layers import set_exportable

    found = peer.find(name)
    if found is None:
        raise ValueError(f'{peer.ecosystem} has no {name}')
    with set_exportable(True):
        network: nn.Module = peer.make(found)
    return network


def _retinanet() -> nn.Module:
    from mmdet.registry import MODELS
    from mmengine.registry import init_default_scope

    from effnet_dense.engine.config import load_config

    config = load_config(RETINANET)
    init_default_scope('mmdet')
    return DetectionNetwork(MODELS.build(config.model))


def forms(case: Case, images: Tensor, threads: int, folder: Path) -> Iterator[Form]:
    """Yield the ways to run a case's network, eager PyTorch first and `deploy` second."""
    torch.manual_seed(0)
    network = Flat(case.make()).eval()
    last = images.to(memory_format=CHANNELS_LAST)
    yield Form('eager', _torch_run(network.to(memory_format=CHANNELS_LAST), last))
    yield Form('deploy', _torch_run(deploy(network), last))
    plain = folded_for_export(network).to(memory_format=torch.contiguous_format)
    yield from _exported('', plain, images, threads, folder / 'ours.onnx')
    if case.peer is not None:
        theirs = Flat(case.peer()).eval()
        yield Form(f'{PEER}eager', _torch_run(theirs.to(memory_format=CHANNELS_LAST), last))
        theirs = theirs.to(memory_format=torch.contiguous_format)
        yield from _exported(PEER, theirs, images, threads, folder / 'peer.onnx')


def _torch_run(network: nn.Module, images: Tensor) -> Run:
    def run() -> Sequence[Any]:
        with torch.inference_mode():
            return list(network(images))

    return run


def _exported(
    prefix: str, network: nn.Module, images: Tensor, threads: int, path: Path
) -> Iterator[Form]:
    with torch.no_grad():
        names = [f'output{index}' for index in range(len(network(images)))]
        if prefix == PEER:
            model: Any = torch.onnx.export(
                network, (images,), input_names=['images'], verbose=False
            )
            model.save(path)
        else:
            model = to_onnx(network, [images], ['images'], names, dynamic_batch=False)
            onnx.save(model, str(path))
    size = path.stat().st_size
    yield Form(f'{prefix}ONNX Runtime', _onnx_run(path, images, threads), size)
    yield Form(f'{prefix}OpenVINO', _openvino_run(path, images, threads), size)


def _onnx_run(path: Path, images: Tensor, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    given = {'images': images.numpy()}
    return lambda: session.run(None, given)


def _openvino_run(path: Path, images: Tensor, threads: int) -> Run:
    import openvino

    core = openvino.Core()
    settings = dict(
        INFERENCE_NUM_THREADS=threads, PERFORMANCE_HINT='LATENCY', INFERENCE_PRECISION_HINT='f32'
    )
    compiled = core.compile_model(core.read_model(path), 'CPU', settings)
    request, given = compiled.create_infer_request(), images.numpy()

    def run() -> Sequence[Any]:
        request.infer({0: given})
        return [tensor.data for tensor in request.output_tensors]

    return run


def measure(case: Case, batch: int, threads: int, rounds: int) -> list[list[str]]:
    """Return the rows of a case's table."""
    images = torch.randn(batch, 3, case.side, case.side, generator=torch.Generator().manual_seed(0))
    with tempfile.TemporaryDirectory() as folder:
        all_forms = list(forms(case, images, threads, Path(folder)))
        outputs = [[_array(output) for output in form.run()] for form in all_forms]
        times = _times([form.run for form in all_forms], rounds)
    rows, expected = [], outputs[0]
    for form, seconds, found in zip(all_forms, times, outputs, strict=True):
        expected = found if form.name.endswith('eager') else expected
        ratio = statistics.median(a / b for a, b in zip(seconds, times[1], strict=True))
        difference = f'{_difference(found, expected):.0e}'
        size = f'{form.size / 1e6:.1f}' if form.size else ''
        milliseconds = f'{1e3 * min(seconds) / batch:.1f}'
        rows.append(
            [case.name, str(batch), form.name, milliseconds, f'{ratio:.2f}', size, difference]
        )
    return rows


def _times(runs: Sequence[Run], rounds: int) -> list[list[float]]:
    """Return the seconds of each round; a run is first in one round of as many as there are."""
    seconds: list[list[float]] = [[] for _ in runs]
    for number in range(rounds):
        for place in range(len(runs)):
            index = (place + number) % len(runs)
            start = time.perf_counter()
            runs[index]()
            seconds[index].append(time.perf_counter() - start)
    return seconds


def _array(output: Any) -> Any:
    return output.numpy() if isinstance(output, Tensor) else np.array(output)


def _difference(found: Sequence[Any], expected: Sequence[Any]) -> float:
    pairs = list(zip(found, expected, strict=True))
    return max(float(np.abs(a - b).max()) for a, b in pairs) / max(
        float(np.abs(b).max()) for _, b in pairs
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=20)
    parser.add_argument('--batch', type=int, nargs='+', default=[1])
    parser.add_argument('--only', nargs='+', default=[], help='names of cases')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print('| network | batch | run by | ms an image | ÷ deploy | MB | difference |')
    print('|---|---|---|---|---|---|---|')
    for case in cases():
        if not args.only or case.name in args.only:
            for batch in args.batch:
                for row in measure(case, batch, args.threads, args.rounds):
                    print(f'| {" | ".join(row)} |', flush=True)


if __name__ == '__main__':
    main()
