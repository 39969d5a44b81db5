"""Decide which validation was the best one, whose weights a run keeps as `best.pth`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

from effnet_dense.weights.safe import safe_load

FILE = 'best.pth'
KEY = 'effnet_dense_best'
"""The key in the `meta` of `best.pth`: which figure it is the best of."""
RESULTS = ('PQ', 'segm_mAP', 'bbox_mAP', 'mAP', 'mIoU', 'mDice', 'mFscore')
"""Results by which runs are compared, without prefix; of several, the first one listed here."""
UNKNOWN = -1.0
"""pycocotools' value where there was no object."""


@dataclass(frozen=True)
class Best:
    """The best validation so far.

    Attributes:
        metric: Name of the figure, such as 'coco/bbox_mAP'.
        value: The figure.
        step: The epoch, or the iteration, after which it was measured.
        by_epoch: Whether `step` is an epoch.
    """

    metric: str
    value: float
    step: int
    by_epoch: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, for checkpoints."""
        value, step = float(self.value), int(self.step)
        return dict(metric=self.metric, value=value, step=step, by_epoch=self.by_epoch)

    @property
    def when(self) -> str:
        """Return such as 'epoch 3' or 'iteration 4000'."""
        return f'{"epoch" if self.by_epoch else "iteration"} {self.step}'


def followed_metric(metrics: Mapping[str, Any]) -> str | None:
    """Choose the result by which validations are compared.

    This is the first of `RESULTS` that was computed, else the first result, as mmengine's
    `save_best='auto'` has it.

    Args:
        metrics: Of a validation, with prefixes.

    Returns:
        None if there is no result.
    """
    names = {name: name.rpartition('/')[2] for name in metrics}
    for result in RESULTS:
        for name, short in names.items():
            if short == result:
                return name
    return next(iter(metrics), None)


def is_better(value: float, best: float, metric: str) -> bool:
    """Whether a figure is better: of a loss the smaller one, else the larger one."""
    return value < best if 'loss' in metric.lower() else value > best


def is_figure(value: Any) -> bool:
    """Whether a result is a number that something was measured for."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    return real and math.isfinite(value) and value != UNKNOWN


def best_in(meta: Any) -> Best | None:
    """Read what the `meta` of a checkpoint, or a message hub, says of the best validation."""
    found = meta.get(KEY) if isinstance(meta, Mapping) else None
    if not isinstance(found, Mapping):
        return None
    metric, value, step = (found.get(key) for key in ('metric', 'value', 'step'))
    whole = isinstance(step, int) and not isinstance(step, bool)
    if not isinstance(metric, str) or not is_figure(value) or not whole:
        return None
    return Best(metric, float(value), int(step), found.get('by_epoch') is not False)  # type: ignore[arg-type]


def saved_best(path: Path) -> Best | None:
    """Return which validation a file is the best of; None if it cannot be read or does not say."""
    try:
        checkpoint = safe_load(path)
    except (OSError, ValueError):
        return None
    return best_in(checkpoint.get('meta') if isinstance(checkpoint, Mapping) else None)
