"""Compare inference on a CPU: PyTorch eager and deployed, ONNX Runtime, OpenVINO, and peers.

    python -m benchmarks.runtimes [--threads 2] [--processes 10] [--batch 1] [--only 'b0 512' …]

Every form of a network runs on the same images in several processes: where its memory happens to
lie changes the time of a process by a tenth, that of the same file too. Of each process counts its
fastest run. Our file, the peer's and a copy of the peer's run in turns in one process, so that what
slows the machine slows them alike; the ratio of the copy to its original is the error of such a
comparison. PyTorch's forms run between them. Printed as Markdown: the median over the processes and
the best of them, the ratios to `deploy` and to the peer's same form (medians of the ratios in the
same turn), the file's size, and the largest difference to eager PyTorch of the same network, as a
share of the largest value. Peers (timm's backbones, effdet's detectors) are exported as they
advise, by torch.onnx in their own mode for export, and run in the same runtimes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
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
PEER, COPY = 'peer: ', 'copy: '
EAGER, DEPLOYED = 'eager', 'deploy'
OPENVINO = 'OpenVINO'
RUNTIMES = {'ONNX Runtime': 'onnxruntime', OPENVINO: 'openvino'}
FORMS = (EAGER, DEPLOYED, *RUNTIMES)
PEER_FORMS = tuple(f'{PEER}{form}' for form in (EAGER, *RUNTIMES))
PEER_FILE = 'peer.onnx'
COPY_FORMS = tuple(f'{COPY}{form}' for form in RUNTIMES)
TORCH_PROCESSES = 5
"""Enough for PyTorch's forms, which start slowly and whose times are far from those of files."""
Seconds = dict[int, float]  # by turn
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
        form: One of `FORMS`, `PEER_FORMS` or `COPY_FORMS`.
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
        return self.form.removeprefix(PEER).removeprefix(COPY)

    @property
    def is_peer(self) -> bool:
        """Whether it is the peer's network, or a copy of its file."""
        return self.form.startswith((PEER, COPY))

    @property
    def path(self) -> Path:
        """The exported file: OpenVINO reads peers' from ONNX."""
        if self.is_peer:
            return self.folder / (PEER_FILE if self.form.startswith(PEER) else 'copy.onnx')
        return self.folder / ('ours.xml' if self.runtime == OPENVINO else 'ours.onnx')

    @property
    def size(self) -> int:
        """Bytes of the exported file, or of the one with its weights."""
        weights = self.path.with_suffix('.bin')
        return (weights if weights.is_file() else self.path).stat().st_size

    def network(self) -> Flat:
        """Return the network in eval mode, with the same weights in every process."""
        torch.manual_seed(0)
        make = self.case.peer if self.is_peer else self.case.make
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

    outputs = [output.numpy().copy() for output in run()]
    return Measured(outputs, *best_seconds([run], work.rounds))


def time_files(works: Sequence[Work]) -> list[Measured]:
    """Measure files of one runtime in turns, in a process without PyTorch."""
    first = works[0]
    side, out = first.case.side, first.folder
    command = [sys.executable, '-m', 'benchmarks.runtime_process', *(each.path for each in works)]
    command += ['--runtime', RUNTIMES[first.runtime], '--images', first.batch, side, side]
    command += ['--threads', first.threads, '--rounds', first.rounds, '--out', out]
    done = subprocess.run([str(x) for x in command], capture_output=True, encoding='utf-8')
    if done.returncode:
        raise RuntimeError(f'{first.case.name} in {first.runtime} failed: {done.stderr[-2000:]}')
    measured = []
    for index, seconds in enumerate(done.stdout.split()):
        with np.load(out / f'{index}.npz') as arrays:
            measured.append(Measured([arrays[name] for name in arrays.files], float(seconds)))
    return measured


def measure(case: Case, batch: int, threads: int, rounds: int, processes: int) -> list[list[str]]:
    """Return the rows of a case's table."""
    forms = [*FORMS, *((*PEER_FORMS, *COPY_FORMS) if case.peer else ())]
    seconds: dict[str, Seconds] = {form: {} for form in forms}
    outputs: dict[str, list[Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        works = [Work(case, form, batch, threads, rounds, Path(folder)) for form in forms]
        sizes = _export(works)
        for turn in range(processes):
            for work, measured in _one_turn(works, turn, turn % _every(processes) == 0):
                seconds[work.form][turn] = measured.seconds
                outputs[work.form] = measured.outputs
    return [_row(work, seconds, outputs, sizes.get(work.form)) for work in works]


def _every(processes: int) -> int:
    """Return how many turns apart PyTorch's forms run."""
    return -(-processes // TORCH_PROCESSES)


def _one_turn(
    works: Sequence[Work], turn: int, with_torch: bool
) -> Iterator[tuple[Work, Measured]]:
    """Measure each form once; PyTorch's are left out of most turns."""
    for name in RUNTIMES:
        group = [work for work in works if work.runtime == name]
        # Loaded in turns as well: the first file of a process gets other memory.
        group = group if turn % 2 else group[::-1]
        yield from zip(group, time_files(group), strict=True)
    for work in works:
        if work.runtime not in RUNTIMES and with_torch:
            yield work, _in_own_process(work)


def _export(works: Sequence[Work]) -> dict[str, int]:
    """Write the files, and return their bytes by form."""
    files = [work for work in works if work.runtime in RUNTIMES]
    for work in files:
        if work.form.startswith(COPY):
            shutil.copyfile(work.folder / PEER_FILE, work.path)
        elif not work.path.exists():
            export_file(work)
    return {work.form: work.size for work in files}


def _row(
    work: Work, seconds: dict[str, Seconds], outputs: dict[str, list[Any]], size: int | None
) -> list[str]:
    own = seconds[work.form]
    peer = seconds.get(PEER + work.runtime) if not work.form.startswith(PEER) else None
    eager = PEER_FORMS[0] if work.is_peer else EAGER
    return [
        work.case.name,
        str(work.batch),
        work.form,
        f'{1e3 * median(own.values()) / work.batch:.1f}',
        f'{1e3 * min(own.values()) / work.batch:.1f}',
        f'{_ratio(own, seconds[DEPLOYED]):.2f}',
        f'{_ratio(own, peer):.3f}' if peer else '',
        f'{size / 1e6:.1f}' if size else '',
        f'{_difference(outputs[work.form], outputs[eager]):.0e}',
    ]


def _ratio(own: Seconds, other: Seconds) -> float:
    """Return the median ratio over the turns in which both ran."""
    return median(own[turn] / other[turn] for turn in own.keys() & other.keys())


def _in_own_process(work: Work) -> Measured:
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
