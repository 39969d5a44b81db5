"""A comparison's results, and their form as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.ceilings import Ceilings
from benchmarks.contender import Absent
from effnet_dense.analysis.clock import ratio
from effnet_dense.analysis.saved import MIB
from effnet_dense.analysis.settings import Settings

PASSES = 3  # of a step: forward, and backward for inputs and for weights


@dataclass
class Row:
    """A contender's results; what was not measured is None or missing.

    Times are in ms an image, one for each round, in the rounds' order.
    """

    ecosystem: str
    name: str
    returns: str
    memory_format: str
    mode: str
    parameters: int
    gflops: float | None = None  # 10⁹ multiply-adds an image
    saved_hooks: float | None = None  # MiB an image
    saved_alive: float | None = None
    peak: float | None = None  # MiB of a step with the whole batch, gradients included
    first_pass_s: float | None = None  # compilation is in it
    step: list[float] = field(default_factory=list)
    inference: dict[int, list[float]] = field(default_factory=dict)  # by batch size

    @property
    def saved(self) -> float | None:
        """MiB an image: the larger count."""
        if self.saved_hooks is None or self.saved_alive is None:
            return None
        return max(self.saved_hooks, self.saved_alive)

    def times(self, metric: str) -> list[float]:
        """Those of 'step', or of 'inference 1' and so on; none if it was not measured."""
        name, _, batch = metric.partition(' ')
        return self.step if name == 'step' else self.inference.get(int(batch), [])


@dataclass
class Report:
    """A comparison: everything that it says is measured under `settings` in one process."""

    title: str
    settings: Settings
    machine: dict[str, Any]
    ceilings: Ceilings
    rows: list[Row]
    absent: list[Absent]

    @property
    def reference(self) -> Row:
        """The first row, usually a peer: what ratios divide by."""
        return self.rows[0]

    def row(self, name: str) -> Row:
        """The row of a contender.

        Raises:
            KeyError: It is not there.
        """
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f'no row {name!r} among {[row.name for row in self.rows]}')

    def metrics(self) -> list[str]:
        """The times that were measured: 'step', 'inference 1', …"""
        names = ['step'] if any(row.step for row in self.rows) else []
        batches = sorted({batch for row in self.rows for batch in row.inference})
        return names + [f'inference {batch}' for batch in batches]

    def ratio(self, row: Row, metric: str) -> float:
        """Of a row's times to the reference's, pair by pair."""
        return ratio(row.times(metric), self.reference.times(metric))

    def floor(self, metric: str) -> float | None:
        """ms an image that the reference's arithmetic takes at the matrix product's speed."""
        if self.reference.gflops is None:
            return None
        passes = PASSES if metric == 'step' else 1
        return 2000 * passes * self.reference.gflops / self.ceilings.gflops

    def copy_ms(self, row: Row) -> float | None:
        """ms an image to write what a row saves, and to read it, at a copy's speed."""
        return None if row.saved is None else 2000 * row.saved * MIB / 1e9 / self.ceilings.copy_gb

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the fields, and beside each row's raw times their best and ratio."""
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
            'absent': [asdict(one) for one in self.absent],
        }
