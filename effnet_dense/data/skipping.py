"""`--skip-bad`: how many faulty records may be left out, and what is noted of each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

DEFAULT_LIMIT = 0.05


@dataclass(frozen=True)
class SkipBad:
    """Drop faulty records, up to a limit.

    Attributes:
        folder: Where cleaned splits, and the lists of what was left out, are written.
        limit: Largest share of a split's images, and of its annotations, that may be faulty; one
            faulty record is always allowed.
    """

    folder: Path
    limit: float = DEFAULT_LIMIT

    def allowed(self, total: int) -> int:
        """Compute how many of `total` records may be faulty."""
        return max(1, math.floor(self.limit * total + 1e-9))


@dataclass(frozen=True)
class LeftOut:
    """A dropped record: its file name, or its annotation id and image, and the reason."""

    name: str
    why: str
