"""Read the values that training logged at its steps, from mmengine's LocalVisBackend."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NOT_METRICS = ('step', 'iter', 'epoch', 'time', 'data_time')
UNKNOWN = -1.0
Row = dict[str, Any]


@dataclass
class Scalars:
    """Logged rows of training, joined over a folder's runs."""

    training: list[Row] = field(default_factory=list)  # by iteration
    validation: list[Row] = field(default_factory=list)  # by epoch, or by iteration

    @property
    def by_epoch(self) -> bool:
        """Whether validations are numbered by epochs."""
        return any('epoch' in row for row in self.training)

    @property
    def seconds(self) -> float:
        """Return the duration of the steps, without validation."""
        total, last = 0.0, 0
        for row in self.training:
            total += row.get('time', 0.0) * max(row['step'] - last, 0)
            last = row['step']
        return total


def read_scalars(work_dir: str | Path) -> Scalars:
    """Read all runs in a work folder and join them.

    A resumed run begins where its checkpoint was written: what its predecessor logged after that
    is dropped.
    """
    joined = Scalars()
    for path in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        run = split(read_rows(path))
        if run.training:
            first = run.training[0]
            joined.training = before(joined.training, first['step'])
            mark = first['epoch'] if 'epoch' in first else first['step']
            joined.validation = before(joined.validation, mark)
        elif run.validation:
            joined.validation = before(joined.validation, run.validation[0]['step'])
        joined.training += run.training
        joined.validation += run.validation
    return joined


def read_rows(path: Path) -> list[Row]:
    """Read a file's JSON lines; damaged ones, such as a last line cut by a kill, are left out."""
    rows = []
    for line in path.read_text(encoding='utf-8', errors='replace').splitlines():
        try:
            rows.append(json.loads(line))
        except (ValueError, RecursionError):
            continue
    return [row for row in rows if isinstance(row, dict) and _number(row.get('step'))]


def split(rows: Iterable[Row]) -> Scalars:
    """Separate training steps, which have a learning rate, from validations."""
    found = Scalars()
    for row in rows:
        (found.training if 'lr' in row else found.validation).append(row)
    return found


def before(rows: list[Row], step: int) -> list[Row]:
    """Return the rows of earlier steps."""
    return [row for row in rows if row['step'] < step]


def series(rows: Iterable[Mapping[str, Any]], name: str) -> tuple[list[int], list[float]]:
    """Return the steps at which a quantity was measured, and its values.

    pycocotools' −1, where there was no object, is no measurement.
    """
    points = [
        (row['step'], float(row[name]))
        for row in rows
        if _number(row.get(name)) and row[name] != UNKNOWN
    ]
    return [step for step, _ in points], [value for _, value in points]


def names(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the quantities' names in order of appearance, without steps and times."""
    found: dict[str, None] = {}
    for row in rows:
        found.update(
            (key, None) for key, value in row.items() if key not in NOT_METRICS and _number(value)
        )
    return list(found)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
