"""Panoptic quality from counts of matched segments (Kirillov et al., arXiv 1801.00868, sec. 4).

Who matches whom is mmdet's affair (`mmdet/evaluation/functional/panoptic_utils.py`): it adds to the
counts in here, sums them over images and processes, and asks for the averages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

VOID = 0
"""The id of pixels that belong to no segment."""

OFFSET = 256**3
"""More than any id: ground truth · OFFSET + prediction names a pair of segments."""

MEASURES = ('pq', 'sq', 'rq')


@dataclass
class PQStatCat:
    """One category's counts: matched pairs, the sum of their IoUs, segments without a partner."""

    iou: float = 0.0
    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __iadd__(self, other: PQStatCat) -> PQStatCat:
        """Add another part's counts."""
        self.iou += other.iou
        self.tp += other.tp
        self.fp += other.fp
        self.fn += other.fn
        return self

    def qualities(self) -> dict[str, float]:
        """Panoptic, segmentation and recognition quality, PQ = SQ · RQ (equations 1 and 2)."""
        segments = self.tp + 0.5 * self.fp + 0.5 * self.fn
        return {
            'pq': float(self.iou / segments) if segments else 0.0,
            'sq': float(self.iou / self.tp) if self.tp else 0.0,
            'rq': float(self.tp / segments) if segments else 0.0,
        }


class PQStat:
    """The counts of every category, by its id."""

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
        """Average over the categories that occur, in the ground truth or among the predictions.

        Args:
            categories: By id, each with its 'isthing'.
            isthing: True for things alone, False for stuff alone, None for both.

        Returns:
            The averages 'pq', 'sq', 'rq' with the number 'n' of categories behind them (zeros where
            there is none), and the same three of every category; one that does not occur has zeros.
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
