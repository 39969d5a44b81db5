"""Measure what one core loads for training, by step, and how many workers a GPU needs.

    python -m benchmarks.workers --data DIR [--configs efficientdet_d0_coco …] [--rounds 5]

Every image of the training data passes through the loader of a shipped config, by the CPU's clock:
with the runner and transforms of mmengine and mmdet, with this package's, and with reduced
decoding, which moves the decoding to the resizing step. First in one process, where pipelines take
turns and figures are medians; then in one worker, whose time includes the way to the training.
"""

from __future__ import annotations

import argparse
import copy
import math
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner as MMEngineRunner
from torch.utils.data import DataLoader

from benchmarks.tables import ALIGN
from effnet_dense.data.config_walk import leaf_datasets, type_name
from effnet_dense.data.reduced_loading import reduce_decoding
from effnet_dense.data.seeding.loader import sampler_of
from effnet_dense.engine import load_config
from effnet_dense.engine.runner import Runner
from effnet_dense.utils.console import print_table

CONFIGS = ('efficientdet_d0_coco', 'effnet_b3_retinanet_coco', 'effnet_lite0_retinanet_finetune')
RATES = (50, 100, 200, 400, 800)
"""Images that a GPU trains on in a second."""
OTHER = 'record, seeds, collate'
TOTAL = 'all'
KINDS = MMDET, OURS, REDUCED = 'mmdet', 'ours', 'reduced'
"""mmengine's runner and mmdet's transforms; this package's; the latter with reduced decoding."""


@dataclass
class Steps:
    """CPU time of a loader's steps, in milliseconds per image.

    Args:
        loader: In this process.
        rounds: For each step of the pipeline and `TOTAL`, one time per round.
    """

    loader: DataLoader
    rounds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def run(self, epoch: int) -> None:
        """Load an epoch."""
        sampler_of(self.loader).set_epoch(epoch)
        seconds: dict[str, float] = defaultdict(float)
        with timed(self.loader.dataset, seconds):
            start = time.process_time()
            for _ in self.loader:
                pass
            seconds[TOTAL] = time.process_time() - start
        for name, value in seconds.items():
            self.rounds[name].append(1000 * value / len(self.loader.dataset))  # type: ignore[arg-type]

    def medians(self) -> dict[str, float]:
        """Return the steps in their order, what is outside of them, and the total."""
        found = {name: median(times) for name, times in self.rounds.items()}
        total = found.pop(TOTAL)
        return {**found, OTHER: total - sum(found.values()), TOTAL: total}


@contextmanager
def timed(dataset: Any, seconds: dict[str, float]) -> Iterator[None]:
    """Add each transform's CPU seconds to `seconds`, by the name of its type."""

    def with_clock(transform: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def run(results: Any) -> Any:
            start = time.process_time()
            made = transform(results)
            seconds[type(transform).__name__] += time.process_time() - start
            return made

        return run

    pipeline = dataset.pipeline
    plain = pipeline.transforms
    pipeline.transforms = [with_clock(transform) for transform in plain]
    try:
        yield
    finally:
        pipeline.transforms = plain


def build_loader(config: Config, kind: str, workers: int = 0) -> DataLoader:
    """Build a config's training loader.

    Args:
        config: Not changed.
        kind: One of `KINDS`.
        workers: Processes.
    """
    loader: Any = copy.deepcopy(config.train_dataloader)
    loader.update(num_workers=workers, persistent_workers=workers > 0)
    if kind == MMDET:
        for dataset in leaf_datasets(loader.dataset):
            for step in dataset.pipeline:
                step.type = type_name(step)
    build = (MMEngineRunner if kind == MMDET else Runner).build_dataloader
    with DefaultScope.overwrite_default_scope(config.default_scope):
        made = build(loader, seed=0)
    if kind == REDUCED:
        reduce_decoding(made.dataset)
    return made


def measure_steps(config: Config, rounds: int) -> dict[str, dict[str, float]]:
    """Return milliseconds per image of each step, for each of `KINDS`."""
    kinds = {kind: Steps(build_loader(config, kind)) for kind in KINDS}
    for number in range(rounds):
        for steps in kinds.values():
            steps.run(number)
    return {name: steps.medians() for name, steps in kinds.items()}


class Process:
    """A loader with one worker, which is started here.

    Args:
        loader: With one persistent worker.

    Attributes:
        worker: The worker's CPU time in each round, in milliseconds per image: the pipeline and the
            way to the training.
        training: That of the process that trains, to receive the batches.
    """

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader
        self.worker: list[float] = []
        self.training: list[float] = []
        for _ in loader:
            pass

    def run(self, epoch: int) -> None:
        """Load an epoch."""
        pid = self.loader._iterator._workers[0].pid  # type: ignore[union-attr]
        sampler_of(self.loader).set_epoch(epoch)
        before = cpu_seconds(pid), time.process_time()
        for _ in self.loader:
            pass
        images = len(self.loader.dataset) / 1000  # type: ignore[arg-type]
        self.worker.append((cpu_seconds(pid) - before[0]) / images)
        self.training.append((time.process_time() - before[1]) / images)


def measure_processes(config: Config, rounds: int) -> dict[str, Process]:
    """Run a worker for each of `KINDS`, one after the other in each round."""
    processes = {kind: Process(build_loader(config, kind, 1)) for kind in KINDS}
    for number in range(rounds):
        for process in processes.values():
            process.run(number)
    return processes


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of another process, on Linux."""
    fields = Path(f'/proc/{pid}/stat').read_text(encoding='utf-8').rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def workers_needed(rate: float, milliseconds: float) -> int:
    """Return the cores that load `rate` images per second, at a CPU time per image."""
    return math.ceil(rate * milliseconds / 1000)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of steps for each config, and one of the workers that GPUs need."""
    parser = argparse.ArgumentParser(
        prog='python -m benchmarks.workers',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--data', type=Path, required=True, metavar='DIR', help='the data of the trainings')
    add('--configs', nargs='+', default=list(CONFIGS), metavar='NAME')
    add('--rates', nargs='+', type=float, default=list(RATES), help='images per second of a GPU')
    add('--rounds', type=int, default=5, help='in each, all pipelines load all images')
    args = parser.parse_args(arguments)
    cv2.setNumThreads(0)  # as in a data loader's worker
    torch.set_num_threads(1)
    rows = []
    for name in args.configs:
        config = load_config(name, data=args.data)
        _print_steps(name, measure_steps(config, args.rounds))
        for kind, process in measure_processes(config, args.rounds).items():
            worker, training = median(process.worker), median(process.training)
            cells = [str(workers_needed(rate, worker)) for rate in args.rates]
            times = f'{worker:.1f}', f'{training:.2f}'
            rows.append([f'{name}, {kind}', *times, *cells])
    rates = [f'{rate:.0f} img/s' for rate in args.rates]
    header = ['workers for a GPU of', 'worker, ms/img', 'training, ms/img', *rates]
    print_table('processes that load', header, rows, ALIGN)


def _print_steps(name: str, found: dict[str, dict[str, float]]) -> None:
    names = list(dict.fromkeys(step for steps in found.values() for step in steps))
    rows = [[step, *(f'{steps.get(step, 0.0):.2f}' for steps in found.values())] for step in names]
    print_table(f'{name}, ms/img of one core', ['step', *found], rows, ALIGN)


if __name__ == '__main__':
    main(sys.argv[1:])
