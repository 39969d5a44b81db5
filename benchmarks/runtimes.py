"""Compare inference on a CPU: PyTorch eager and deployed, ONNX Runtime, OpenVINO, and peers.

    python -m benchmarks.runtimes [--threads 2] [--processes 10] [--batch 1] [--only 'b0 512' …]

Every form of a network runs on the same images, each in several processes of its own, in turns:
where its memory happens to lie changes the time of a process by a tenth, that of the same file too.
Of each process counts its fastest run. Printed as Markdown: the median over the processes and the
best of them, the ratios of medians to `deploy`'s and to that of the peer's same form, the file's
size, and the largest difference to eager PyTorch of the same network, as a share of the largest
value. Peers (timm's backbones, effdet's detectors) are exported as they advise, by torch.onnx in
their own mode for export, and run in the same runtimes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from benchmarks.detectors import peers as detector_peers
from benchmarks.features import PEERS
from benchmarks.runtime_process import best_seconds, draw_images
from effnet_dense.analysis.detector import DetectorNetwork
from effnet_dense.deployment import deploy
from effnet_dense.exporting.attention import folded_for_export
from effnet_dense.exporting.network import DetectionNetwork
from effnet_dense.exporting.onnx_file import to_onnx
from effnet_dense.exporting.openvino_file import to_openvino
from effnet_dense.models import EfficientNet

CHANNELS_LAST = torch.channels_last
PEER = 'peer: '
EAGER, DEPLOYED = 'eager', 'deploy'
OPENVINO = 'OpenVINO'
RUNTIMES = {'ONNX Runtime': 'onnxruntime', OPENVINO: 'openvino'}
FORMS = (EAGER, DEPLOYED, *RUNTIMES)
PEER_FORMS = tuple(f'{PEER}{form}' for form in (EAGER, *RUNTIMES))
TORCH_PROCESSES = 3
"""Enough for PyTorch's forms, which start slowly and whose times are far from those of files."""
RETINANET = 'effnet_lite0_retinanet_coco'
HEADINGS = (
    'network',
    'batch',
    'run by',
    'ms an image',
    'best',
    '÷ deploy',
    '÷ peer',
    'MB',
    'difference',
)


class Case(NamedTuple):
    """A network and the side of its images in pixels."""

    name: str
    side: int
    make: Callable[[], nn.Module]
    peer: Callable[[], nn.Module] | None = None


class Work(NamedTuple):
    """What a process measures.

    Attributes:
        case: The network.
        form: One of `FORMS` or `PEER_FORMS`.
        batch: Images.
        threads: Of the runtime.
        rounds: Timed runs.
        folder: Of the exported files.
    """

    case: Case
    form: str
    batch: int
    threads: int
    rounds: int
    folder: Path

    @property
    def images(self) -> Tensor:
        """(N, 3, H, W), the same in every process."""
        return torch.from_numpy(draw_images(self.batch, self.case.side, self.case.side))

    @property
    def runtime(self) -> str:
        """The form without whose network it is."""
        return self.form.removeprefix(PEER)

    @property
    def path(self) -> Path:
        """The exported file: OpenVINO reads peers' from ONNX."""
        if self.form.startswith(PEER):
            return self.folder / 'peer.onnx'
        return self.folder / ('ours.xml' if self.runtime == OPENVINO else 'ours.onnx')

    @property
    def size(self) -> int:
        """Bytes of the exported file, or of the one with its weights."""
        weights = self.path.with_suffix('.bin')
        return (weights if weights.is_file() else self.path).stat().st_size

    def network(self) -> Flat:
        """Return the network in eval mode, with the same weights in every process."""
        torch.manual_seed(0)
        make = self.case.peer if self.form.startswith(PEER) else self.case.make
        if make is None:
            raise ValueError(f'{self.case.name} has no peer')
        return Flat(make()).eval()


class Measured(NamedTuple):
    """A form's outputs, and the seconds of its best run."""

    outputs: list[Any]
    seconds: float


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
            partial(DetectorNetwork, 'd0', 0),
            partial(_effdet, 'd0', 512),
        ),
        Case('retinanet lite0 320', 320, _retinanet),
    ]


def _backbone(arch: str, side: int) -> Case:
    return Case(f'{arch} {side}', side, partial(EfficientNet, arch), partial(_timm, arch))


def _timm(arch: str) -> nn.Module:
    return _peer(next(peer for peer in PEERS if peer.ecosystem == 'timm'), arch)


def _effdet(arch: str, side: int) -> nn.Module:
    return _peer(detector_peers(side)[0], arch)


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


def export_file(work: Work) -> None:
    """Write the file of a form's network; a peer's as it advises."""
    network, images = work.network(), work.images
    if work.form.startswith(PEER):
        with torch.no_grad():
            model: Any = torch.onnx.export(
                network, (images,), input_names=['images'], verbose=False
            )
        model.save(work.path)
        return
    network = folded_for_export(network)
    with torch.no_grad():
        names = [f'output{index}' for index in range(len(network(images)))]
    model = to_onnx(network, [images], ['images'], names, dynamic_batch=False)
    if work.runtime == OPENVINO:
        import openvino

        openvino.save_model(to_openvino(model), str(work.path), compress_to_fp16=False)
    else:
        onnx.save(model, str(work.path))


def time_network(work: Work) -> Measured:
    """Measure a form in PyTorch in this process."""
    torch.set_num_threads(work.threads)
    network: nn.Module = work.network().to(memory_format=CHANNELS_LAST)
    if work.runtime == DEPLOYED:
        network = deploy(network)
    images = work.images.to(memory_format=CHANNELS_LAST)

    @torch.inference_mode()
    def run() -> list[Tensor]:
        return list(network(images))

    return Measured([output.numpy().copy() for output in run()], best_seconds(run, work.rounds))


def time_file(work: Work) -> Measured:
    """Measure a form of an exported file, in a process without PyTorch."""
    out, side = work.folder / 'outputs.npz', work.case.side
    command = [sys.executable, '-m', 'benchmarks.runtime_process', work.path, '--out', out]
    command += ['--runtime', RUNTIMES[work.runtime], '--images', work.batch, side, side]
    command += ['--threads', work.threads, '--rounds', work.rounds]
    done = subprocess.run([str(x) for x in command], capture_output=True, encoding='utf-8')
    if done.returncode:
        raise RuntimeError(f'{work.case.name} in {work.runtime} failed: {done.stderr[-2000:]}')
    with np.load(out) as arrays:
        return Measured([arrays[name] for name in arrays.files], float(done.stdout))


def measure(case: Case, batch: int, threads: int, rounds: int, processes: int) -> list[list[str]]:
    """Return the rows of a case's table."""
    forms = [*FORMS, *(PEER_FORMS if case.peer else ())]
    found: dict[str, list[Measured]] = {form: [] for form in forms}
    sizes = {}
    with tempfile.TemporaryDirectory() as folder:
        works = [Work(case, form, batch, threads, rounds, Path(folder)) for form in forms]
        for work in works:
            if work.runtime in RUNTIMES and work.path not in sizes:
                export_file(work)
                sizes[work.path] = work.size
        for number in range(processes):
            for work in works if number % 2 else reversed(works):
                if work.runtime in RUNTIMES or number < TORCH_PROCESSES:
                    found[work.form].append(_in_own_process(work))
    rows = []
    seconds = {form: [each.seconds for each in all_of] for form, all_of in found.items()}
    middle = {form: median(all_of) for form, all_of in seconds.items()}
    for work in works:
        eager = PEER_FORMS[0] if work.form.startswith(PEER) else EAGER
        peer = middle.get(PEER + work.form)
        difference = _difference(found[work.form][0].outputs, found[eager][0].outputs)
        has_file = work.runtime in RUNTIMES
        rows.append(
            [
                case.name,
                str(batch),
                work.form,
                f'{1e3 * middle[work.form] / batch:.1f}',
                f'{1e3 * min(seconds[work.form]) / batch:.1f}',
                f'{middle[work.form] / middle[DEPLOYED]:.2f}',
                f'{middle[work.form] / peer:.2f}' if peer else '',
                f'{sizes[work.path] / 1e6:.1f}' if has_file else '',
                f'{difference:.0e}',
            ]
        )
    return rows


def _in_own_process(work: Work) -> Measured:
    if work.runtime in RUNTIMES:
        return time_file(work)
    with ProcessPoolExecutor(1, multiprocessing.get_context('spawn')) as pool:
        return pool.submit(time_network, work).result()


def _difference(found: Sequence[Any], expected: Sequence[Any]) -> float:
    pairs = list(zip(found, expected, strict=True))
    return max(float(np.abs(a - b).max()) for a, b in pairs) / max(
        float(np.abs(b).max()) for _, b in pairs
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--processes', type=int, default=10, help='of each file')
    parser.add_argument('--rounds', type=int, default=20, help='timed runs of a process')
    parser.add_argument('--batch', type=int, nargs='+', default=[1])
    names = [case.name for case in cases()]
    parser.add_argument('--only', nargs='+', default=names, choices=names, help='cases')
    args = parser.parse_args()
    if min(args.threads, args.processes, args.rounds, *args.batch) < 1:
        parser.error('--threads, --processes, --rounds and --batch must be at least 1')
    print(f'| {" | ".join(HEADINGS)} |\n{"|---" * len(HEADINGS)}|')
    for case in cases():
        if case.name in args.only:
            for batch in args.batch:
                for row in measure(case, batch, args.threads, args.rounds, args.processes):
                    print(f'| {" | ".join(row)} |', flush=True)


if __name__ == '__main__':
    main()
