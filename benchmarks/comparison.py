"""Hold a comparison's results, and turn them into JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.ceilings import Ceilings
from benchmarks.implementation import Unavailable
from effnet_dense.analysis.latency import median_ratio
from effnet_dense.analysis.saved_memory import MIB
from effnet_dense.analysis.settings import Settings

PASSES = 3
"""Passes of a training step: forward, backward for inputs, backward for weights."""


@dataclass
class Row:
    """An implementation's results; what was not measured is None or empty.

    Args:
        ecosystem: See `Implementation`, like `name`, `returns` and `mode`.
        memory_format: 'channels-last' or 'NCHW'.
        parameters: Elements of all parameters.
        gflops: 10⁹ multiply-adds per image.
        saved_hooks: MiB per image, see `SavedMemory.hooks`.
        saved_alive: MiB per image, see `SavedMemory.live`.
        peak: MiB of a training step with the batch, gradients included.
        first_pass_s: Seconds of the first inference pass, compilation included.
        step: ms per image of a training step in each round, in order.
        inference: Batch size → the same for inference.
    """

    ecosystem: str
    name: str
    returns: str
    memory_format: str
    mode: str
    parameters: int
    gflops: float | None = None
    saved_hooks: float | None = None
    saved_alive: float | None = None
    peak: float | None = None
    first_pass_s: float | None = None
    step: list[float] = field(default_factory=list)
    inference: dict[int, list[float]] = field(default_factory=dict)

    @property
    def saved(self) -> float | None:
        """MiB per image: the larger count."""
        if self.saved_hooks is None or self.saved_alive is None:
            return None
        return max(self.saved_hooks, self.saved_alive)

    def times(self, metric: str) -> list[float]:
        """Return the times of 'step' or of 'inference 1'; none if it was not measured."""
        name, _, batch = metric.partition(' ')
        return self.step if name == 'step' else self.inference.get(int(batch), [])


@dataclass
class Comparison:
    """Results measured under the same settings in one process."""

    title: str
    settings: Settings
    machine: dict[str, Any]
    ceilings: Ceilings
    rows: list[Row]
    unavailable: list[Unavailable]

    @property
    def reference(self) -> Row:
        """The first row, usually a peer's; ratios are relative to it."""
        return self.rows[0]

    def row(self, name: str) -> Row:
        """Return the row of an implementation.

        Raises:
            KeyError: There is no such row.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f'no row {name!r} among {[row.name for row in self.rows]}')

    def metrics(self) -> list[str]:
        """Return the names of the times that were measured: 'step', 'inference 1', …"""
        names = ['step'] if any(row.step for row in self.rows) else []
        batches = sorted({batch for row in self.rows for batch in row.inference})
        return names + [f'inference {batch}' for batch in batches]

    def ratio(self, row: Row, metric: str) -> float:
        """Return the median ratio of a row's times to the reference's, round by round."""
        return median_ratio(row.times(metric), self.reference.times(metric))

    def floor(self, metric: str) -> float | None:
        """Return the ms per image of the reference's arithmetic at the matrix product's speed."""
        if self.reference.gflops is None:
            return None
        passes = PASSES if metric == 'step' else 1
        return 2000 * passes * self.reference.gflops / self.ceilings.gflops

    def copy_ms(self, row: Row) -> float | None:
        """Return the ms per image to write and read what a row saves, at a copy's speed."""
        return None if row.saved is None else 2000 * row.saved * MIB / 1e9 / self.ceilings.copy_gb

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for JSON; each row also with its best times and ratios."""
        rows = []
        for row in self.rows:
            timings = {
                metric: {
                    'best_ms': min(row.times(metric)),
                    'ratio': self.ratio(row, metric),
                    'floor_ms': self.floor(metric),
                }
                for metric in self.metrics()
                if row.times(metric)
            }
            rows.append({**asdict(row), 'saved': row.saved, 'timings': timings})
        return {
            'title': self.title,
            'settings': asdict(self.settings),
            'machine': self.machine,
            'ceilings': asdict(self.ceilings),
            'reference': self.reference.name,
            'rows': rows,
            'absent': [asdict(peer) for peer in self.unavailable],
        }
