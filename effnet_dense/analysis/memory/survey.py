"""Several configs and settings, one after the other: what tools/memory.py does."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from effnet_dense.analysis.memory.predict import (
    Peak,
    Setting,
    largest_batch,
    predict_peak,
    setting_of,
)
from effnet_dense.analysis.memory.report import GIB
from effnet_dense.analysis.memory.size import Size
from effnet_dense.engine.config import load_config

# CUDA's context and cuDNN's workspaces, which are not predicted.
RESERVE = 1.0


class Survey:
    """One config with every combination of precisions and lean levels.

    Args:
        name: See `effnet_dense.engine.config.find_config`.
        options: `--cfg-options`.
        precisions: Of `PRECISIONS`; None is the config's own.
        leans: Of 0, 1, 2; None is the config's own.
        values: Of `setting_of`, but for these two.

    Raises:
        FileNotFoundError: no such config.
        ValueError: an impossible setting.
    """

    def __init__(
        self,
        name: str,
        options: Mapping[str, Any] | None = None,
        precisions: Sequence[str | None] = (None,),
        leans: Sequence[int | None] = (None,),
        batch_size: int | None = None,
        size: Size | None = None,
        **values: Any,
    ) -> None:
        self.name = Path(name).stem
        self.config: Config = load_config(name, options=options)
        self.settings: list[Setting] = [
            setting_of(self.config, batch_size, size, precision, lean, **values)
            for precision, lean in itertools.product(precisions, leans)
        ]

    def peaks(self) -> list[Peak]:
        """Of each setting."""
        return [predict_peak(self.config, setting) for setting in self.settings]

    def largest_batches(self, gib: float, reserve: float = RESERVE) -> list[Peak | None]:
        """The peak of the largest batch of each setting that a GPU holds; None: not one image.

        Args:
            gib: The GPU's memory in GiB.
            reserve: GiB of it that are kept for what is not predicted.

        Raises:
            ValueError: nothing is left.
        """
        check_room(gib, reserve)
        return [self._largest(setting, int((gib - reserve) * GIB)) for setting in self.settings]

    def _largest(self, setting: Setting, limit: int) -> Peak | None:
        peaks: dict[int, Peak] = {}

        def total(images: int) -> int:
            peaks[images] = predict_peak(self.config, replace(setting, batch_size=images))
            return peaks[images].total

        return peaks.get(largest_batch(total, limit))


def check_room(gib: float, reserve: float) -> None:
    """Raise a ValueError if nothing is left for tensors."""
    if reserve < 0 or not gib > reserve:
        raise ValueError(
            f'--gib must be more than --reserve, which is not negative: {gib}, {reserve}'
        )
