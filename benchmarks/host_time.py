"""Measure the host's work in a training step on CUDA's code path, by the CPU's clock.

    python -m benchmarks.host_time [--arch b0] [--name d0] [--lean 0 1 2] [--rounds 25]

On small images a step's time is mostly that of Python and of PyTorch's dispatcher, for which a GPU
would wait. The functions that choose this package's operators for CPUs answer no, as on CUDA; an
operator that CPUs lack is replaced by one of the same cost. Features of small images are below the
size at which Triton's kernels run. Networks run in turns, on one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks import detectors, features
from benchmarks.implementation import OURS, Implementation, collect_implementations
from benchmarks.tables import ALIGN
from benchmarks.training_step import TrainingStep
from effnet_dense.analysis.cuda_branches import cuda_branches
from effnet_dense.analysis.latency import median_ratio
from effnet_dense.analysis.settings import MIN_SIZE, Settings
from effnet_dense.utils.console import print_table

WARM_UP = 3  # rounds
# Calls that launch no kernel
BOOKKEEPING = ('detach', 'empty', 'promote_types')
HEADER = ['network', 'ms/step', 'ratio', 'operators']


def _normalise(x: Tensor, *parts: Any) -> Tensor:
    """Stand in for CUDA's `batch_norm_elemt`: the same arguments, one pass, other values."""
    return torch.native_batch_norm(x, *parts, False, 0.0, 0.0)[0]


def main() -> None:
    """Print a table for the backbone and one for the detector."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--arch', default='b0', help="a backbone, or '' for none")
    parser.add_argument('--name', default='d0', help="a detector, or '' for none")
    parser.add_argument('--lean', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--rounds', type=int, default=25)
    args = parser.parse_args()
    with cuda_code_path():
        if args.arch:
            ours, peers = features.ours(args.arch, args.lean, False), features.PEERS
            _print(args.arch, _collect(ours, peers, args.arch, [OURS, 'timm']), args.rounds)
        if args.name:
            ours, peers = detectors.ours(args.name, args.lean, False), detectors.peers(MIN_SIZE)
            _print(args.name, _collect(ours, peers, args.name, None), args.rounds)


def _collect(ours: Any, peers: Any, name: str, only: list[str] | None) -> list[Implementation]:
    return collect_implementations(ours, peers, name, False, only)[0]


@contextmanager
def cuda_code_path() -> Iterator[None]:
    """Run CUDA's code path on the CPU."""
    with cuda_branches(), patch('effnet_dense.lean.norm.apply_statistics', _normalise):
        yield


def _print(name: str, implementations: Sequence[Implementation], rounds: int) -> None:
    settings = Settings(MIN_SIZE, batch=2, threads=1)
    settings.apply()
    x = settings.images(settings.batch, False)
    steps = [TrainingStep(found.build(settings), x, settings) for found in implementations]
    operators = [count_operators(step) for step in steps]
    seconds = time_in_turns(steps, rounds)
    rows = [
        [f.name, f'{1e3 * median(own):.1f}', f'{median_ratio(own, seconds[0]):.2f}', str(count)]
        for f, own, count in zip(implementations, seconds, operators, strict=True)
    ]
    print_table(f'host time of {name}, {MIN_SIZE} px, 2 images', HEADER, rows, ALIGN)


def time_in_turns(steps: Sequence[Callable[[], object]], rounds: int) -> list[list[float]]:
    """Return the CPU seconds of each step in each round; every second round runs backwards."""
    seconds: list[list[float]] = [[] for _ in steps]
    order = list(range(len(steps)))
    for number in range(-WARM_UP, rounds):
        for index in order:
            start = time.process_time()
            steps[index]()
            if number >= 0:
                seconds[index].append(time.process_time() - start)
        order.reverse()
    return seconds


class _Counter(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func._schema.name.partition('::')[2] not in BOOKKEEPING
        return func(*args, **(kwargs or {}))


def count_operators(step: Callable[[], object]) -> int:
    """Count the operators of a step, forward and backward, after one that prepares it."""
    step()
    with _Counter() as counter:
        step()
    return counter.count


if __name__ == '__main__':
    main()
