"""Panoptic quality from counts of matched segments (Kirillov et al., arXiv 1801.00868, sec. 4).

mmdet matches the segments (`mmdet/evaluation/functional/panoptic_utils.py`), increments these
counts, sums them over images and processes, and requests the averages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

VOID = 0
"""Id of pixels that belong to no segment."""

OFFSET = 256**3
"""Larger than any id: ground truth · OFFSET + prediction identifies a pair of segments."""

MEASURES = ('pq', 'sq', 'rq')


@dataclass
class PQStatCat:
    """A category's counts: matched pairs, the sum of their IoUs, unmatched segments."""

    iou: float = 0.0
    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __iadd__(self, other: PQStatCat) -> PQStatCat:
        """Add the counts of other images."""
        self.iou += other.iou
        self.tp += other.tp
        self.fp += other.fp
        self.fn += other.fn
        return self

    def qualities(self) -> dict[str, float]:
        """Return panoptic, segmentation and recognition quality; PQ = SQ · RQ (equations 1, 2)."""
        segments = self.tp + 0.5 * self.fp + 0.5 * self.fn
        return {
            'pq': float(self.iou / segments) if segments else 0.0,
            'sq': float(self.iou / self.tp) if self.tp else 0.0,
            'rq': float(self.tp / segments) if segments else 0.0,
        }


class PQStat:
    """The counts of all categories, by id."""

    def __init__(self) -> None:
        self.pq_per_cat: defaultdict[int, PQStatCat] = defaultdict(PQStatCat)

    def __getitem__(self, category: int) -> PQStatCat:
        return self.pq_per_cat[category]

    def __setitem__(self, category: int, counts: PQStatCat) -> None:
        self.pq_per_cat[category] = counts

    def __iter__(self) -> Iterator[int]:
        return iter(self.pq_per_cat)

    def __iadd__(self, other: PQStat) -> PQStat:
        """Add the counts of other images."""
        for category, counts in other.pq_per_cat.items():
            self.pq_per_cat[category] += counts
        return self

    def pq_average(
        self, categories: Mapping[int, Mapping[str, Any]], isthing: bool | None
    ) -> tuple[dict[str, float], dict[int, dict[str, float]]]:
        """Average over the categories that occur in the ground truth or in the predictions.

        Args:
            categories: By id, each with 'isthing'.
            isthing: True for things only, False for stuff only, None for both.

        Returns:
            The averages 'pq', 'sq', 'rq' and the number 'n' of categories averaged (zeros without
            any), and the same three of each category; zeros for one that does not occur.
        """
        chosen = {
            category: self.pq_per_cat.get(category, PQStatCat())
            for category, info in categories.items()
            if isthing is None or bool(info['isthing']) == isthing
        }
        each = {category: counts.qualities() for category, counts in chosen.items()}
        present = [each[c] for c, counts in chosen.items() if counts != PQStatCat()]
        n = len(present)
        average = {name: sum(q[name] for q in present) / max(n, 1) for name in MEASURES}
        return {**average, 'n': n}, each
