"""Compare the stand-in for mmcv's operators with torchvision's operators.

    python -m benchmarks.operators [--rounds 9] [--regions 512] [--channels 256]

Both sides run in one process, in turns. Printed per operator: the median over the rounds of time ÷
torchvision's in the same round, and the peak of allocated memory ÷ torchvision's, counted by the
allocator. mmcv's Python wrappers, with the buffers that they allocate, are part of the measurement.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
import torchvision
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

import effnet_dense.compat

effnet_dense.compat.install()

from mmcv import ops  # noqa: E402

Run = Callable[[], object]


class Pair(NamedTuple):
    """One operator: ours and torchvision's, on the same operands."""

    name: str
    ours: Run
    theirs: Run


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--regions', type=int, default=512)
    parser.add_argument('--channels', type=int, default=256)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--only', default='', help='operators whose name contains this')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print('| operator | ms | torchvision ms | time ratio | MiB | torchvision MiB | memory ratio |')
    print('|---|---|---|---|---|---|---|')
    for pair in _pairs(args.regions, args.channels):
        if args.only in pair.name:
            print(_row(pair, args.rounds))


def _row(pair: Pair, rounds: int) -> str:
    ours, theirs = _times(pair, rounds)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    memory, their_memory = _peak(pair.ours), _peak(pair.theirs)
    cells = (
        pair.name,
        f'{1e3 * statistics.median(ours):.2f}',
        f'{1e3 * statistics.median(theirs):.2f}',
        f'{ratio:.2f}',
        f'{memory / 2**20:.1f}',
        f'{their_memory / 2**20:.1f}',
        f'{memory / max(their_memory, 1):.2f}',
    )
    return f'| {" | ".join(cells)} |'


def _times(pair: Pair, rounds: int) -> tuple[list[float], list[float]]:
    """Return the CPU seconds of each round, ours and theirs; which is first takes turns."""
    seconds: tuple[list[float], list[float]] = ([], [])
    pair.ours(), pair.theirs()
    for number in range(rounds):
        for side in (0, 1) if number % 2 else (1, 0):
            start = time.process_time()
            (pair.ours, pair.theirs)[side]()
            seconds[side].append(time.process_time() - start)
    return seconds


def _peak(run: Run) -> int:
    """Return the most bytes that are allocated at a time."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    allocated = peak = 0
    results = profiler.profiler.kineto_results  # type: ignore[union-attr]
    for event in sorted(results.events(), key=lambda event: event.start_ns()):
        if event.name() == '[memory]':
            allocated += event.nbytes()
            peak = max(peak, allocated)
    return peak


def _step(function: Callable[..., Tensor], *inputs: Tensor) -> Run:
    """Return a forward and backward pass."""
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]

    def run() -> None:
        output = function(*leaves)
        torch.autograd.grad(output, leaves, torch.ones_like(output))

    return run


def _pairs(count: int, channels: int) -> list[Pair]:
    torch.manual_seed(0)
    return [*_region_pairs(count, channels), *_convolution_pairs(), _focal(), *_nms_pairs()]


def _region_pairs(count: int, channels: int) -> list[Pair]:
    x = torch.randn(2, channels, 100, 152)
    corners = torch.rand(count, 2) * torch.tensor([1000.0, 600.0])
    rois = torch.cat(
        (
            torch.randint(2, (count, 1)).float(),
            corners,
            corners + 10 + torch.rand(count, 2) * 190,
        ),
        1,
    )

    def align(x: Tensor) -> Tensor:
        return ops.roi_align(x, rois, (7, 7), 0.125, 0, 'avg', True)

    def their_align(x: Tensor) -> Tensor:
        return torchvision.ops.roi_align(x, rois, (7, 7), 0.125, 0, True)

    def pool(x: Tensor) -> Tensor:
        return ops.roi_pool(x, rois, (7, 7), 0.125)

    def their_pool(x: Tensor) -> Tensor:
        return torchvision.ops.roi_pool(x, rois, (7, 7), 0.125)

    return [
        Pair('RoIAlign', lambda: align(x), lambda: their_align(x)),
        Pair('RoIAlign with gradient', _step(align, x), _step(their_align, x)),
        Pair('RoIPool', lambda: pool(x), lambda: their_pool(x)),
        Pair('RoIPool with gradient', _step(pool, x), _step(their_pool, x)),
    ]


def _convolution_pairs() -> list[Pair]:
    x, weight = torch.randn(2, 64, 64, 64), torch.randn(64, 64, 3, 3)
    offset, mask = torch.randn(2, 18, 64, 64), torch.rand(2, 9, 64, 64)
    return [
        Pair(
            'DCN v1 with gradient',
            _step(lambda x, o, w: ops.deform_conv2d(x, o, w, 1, 1), x, offset, weight),
            _step(
                lambda x, o, w: torchvision.ops.deform_conv2d(x, o, w, padding=1),
                x,
                offset,
                weight,
            ),
        ),
        Pair(
            'DCN v2 with gradient',
            _step(
                lambda x, o, m, w: ops.modulated_deform_conv2d(x, o, m, w, None, 1, 1),
                *(x, offset, mask, weight),
            ),
            _step(
                lambda x, o, m, w: torchvision.ops.deform_conv2d(x, o, w, padding=1, mask=m),
                *(x, offset, mask, weight),
            ),
        ),
    ]


def _focal() -> Pair:
    logits, target = torch.randn(100_000, 80), torch.randint(81, (100_000,))
    one_hot = torch.nn.functional.one_hot(target, 81)[:, :80].float()

    def theirs(x: Tensor) -> Tensor:
        return torchvision.ops.sigmoid_focal_loss(x, one_hot)

    def ours(x: Tensor) -> Tensor:
        return ops.sigmoid_focal_loss(x, target, 2.0, 0.25, None, 'none')

    return Pair('sigmoid focal loss with gradient', _step(ours, logits), _step(theirs, logits))


def _nms_pairs() -> list[Pair]:
    def pair(count: int, classes: int) -> Pair:
        corners = torch.rand(count, 2) * 500
        boxes = torch.cat((corners, corners + 1 + torch.rand(count, 2) * 100), 1)
        scores, labels = torch.rand(count), torch.randint(classes, (count,))
        settings = {'type': 'nms', 'iou_threshold': 0.5}
        return Pair(
            f'batched NMS, {count:,} boxes, {classes} classes',
            lambda: ops.batched_nms(boxes, scores, labels, settings),
            lambda: torchvision.ops.batched_nms(boxes, scores, labels, 0.5),
        )

    return [pair(*sizes) for sizes in ((1000, 80), (5000, 80), (5000, 5), (5000, 1), (20000, 80))]


if __name__ == '__main__':
    main()
