"""The figures of a stress test: P, mPC and rPC, and the metric against ε.

Michaelis et al. 2019 (arXiv:1907.07484), section 3.2: P is the metric on clean images, mPC its mean
over corruptions and severities, rPC = mPC ÷ P.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from effnet_dense.data.transforms.corruption import FAMILIES
from effnet_dense.utils.near_names import with_nearest

METRICS = (
    *('coco/bbox_mAP', 'mIoU', 'coco_panoptic/PQ', 'pascal_voc/mAP', 'coco/segm_mAP'),
    *('cityscapes/averageScore', 'mDice'),
)
"""Metrics that are compared by default: the first one that the evaluation has."""
NAMES = {
    'coco/bbox_mAP': 'AP',
    'coco/segm_mAP': 'mask AP',
    'coco_panoptic/PQ': 'PQ',
    'pascal_voc/mAP': 'mAP',
}
Metrics = Mapping[str, float]


@dataclass
class Figures:
    """What a stress test measured.

    Attributes:
        metric: The key of the figure that is compared, such as 'coco/bbox_mAP'.
        images: Number of images.
        clean: All metrics on clean images.
        corrupted: Corruption → severity → all metrics.
        attacked: Attack → ε in grey levels → all metrics.
    """

    metric: str
    images: int
    clean: Metrics
    corrupted: dict[str, dict[int, Metrics]] = field(default_factory=dict)
    attacked: dict[str, dict[float, Metrics]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The figure's short name, such as 'AP'."""
        return NAMES.get(self.metric, self.metric)

    @property
    def performance(self) -> float:
        """P, the figure on clean images."""
        return _value(self.clean, self.metric)

    @property
    def under_corruption(self) -> float:
        """mPC; NaN if there are no corruptions."""
        return mean(self.of_corruption(name) for name in self.corrupted)

    @property
    def relative(self) -> float:
        """rPC = mPC ÷ P; NaN if P is 0."""
        return self.under_corruption / self.performance if self.performance > 0 else math.nan

    def by_severity(self, corruption: str) -> dict[int, float]:
        """Return the figure at each severity of a corruption."""
        found = self.corrupted[corruption]
        return {severity: _value(metrics, self.metric) for severity, metrics in found.items()}

    def of_corruption(self, corruption: str) -> float:
        """Return a corruption's mean over its severities."""
        return mean(self.by_severity(corruption).values())

    def of_severity(self, severity: int) -> float:
        """Return a severity's mean over the corruptions."""
        return mean(self.by_severity(name)[severity] for name in self.corrupted)

    def by_family(self) -> dict[str, float]:
        """Return the mean of each family that was tested, over its tested corruptions."""
        tested = {
            family: [name for name in names if name in self.corrupted]
            for family, names in FAMILIES.items()
        }
        return {
            family: mean(self.of_corruption(name) for name in names)
            for family, names in tested.items()
            if names
        }

    def by_epsilon(self, attack: str) -> dict[float, float]:
        """Return the figure at each ε of an attack, from clean images (0) on."""
        found = self.attacked[attack]
        values = {epsilon: _value(metrics, self.metric) for epsilon, metrics in found.items()}
        return {0.0: self.performance, **values}

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON; NaN becomes None."""
        return _plain(
            dict(
                metric=self.metric,
                images=self.images,
                P=self.performance,
                mPC=self.under_corruption,
                rPC=self.relative,
                corruptions={name: self.of_corruption(name) for name in self.corrupted},
                families=self.by_family(),
                severities={name: self.by_severity(name) for name in self.corrupted},
                attacks={name: self.by_epsilon(name) for name in self.attacked},
                metrics=dict(clean=self.clean, corrupted=self.corrupted, attacked=self.attacked),
            )
        )


def chosen_metric(metrics: Metrics, wanted: str | None = None) -> str:
    """Return the key of the figure to compare.

    Args:
        metrics: Of an evaluation.
        wanted: The key that the user asks for; by default the first of `METRICS` that there is.

    Raises:
        ValueError: The evaluation has no such key, or no figure at all.
    """
    if wanted is not None:
        if wanted not in metrics:
            raise ValueError(
                f'the evaluation has no metric {with_nearest([wanted], metrics)}; it has '
                f'{", ".join(metrics)}'
            )
        return wanted
    known = [key for key in METRICS if key in metrics] or list(metrics)
    if not known:
        raise ValueError('the evaluation gives no figure: expected a test_evaluator with a metric')
    return known[0]


def mean(values: Iterable[float]) -> float:
    """Return the mean; NaN of nothing."""
    listed = list(values)
    return sum(listed) / len(listed) if listed else math.nan


def _value(metrics: Metrics, key: str) -> float:
    return float(metrics[key])


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, str | int) or value is None:
        return value
    return float(value) if math.isfinite(value) else None
