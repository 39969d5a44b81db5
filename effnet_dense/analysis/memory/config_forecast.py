"""Predict a config's peaks for every combination of precisions and lean levels."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from effnet_dense.analysis.memory.image_size import Size
from effnet_dense.analysis.memory.peak import (
    Peak,
    TrainingSetup,
    largest_batch,
    predict_peak,
    training_setup,
)
from effnet_dense.analysis.memory.tables import GIB
from effnet_dense.engine.checks.top_level import check_model
from effnet_dense.engine.config import load_config

RESERVE = 1.0
"""GiB for CUDA's context and cuDNN's workspaces, which are not predicted."""

MOST_GIB = 4096
"""Largest memory whose batch is looked for."""


class ConfigForecast:
    """A config and its setups, one for each combination of precisions and lean levels.

    Args:
        name: See `effnet_dense.engine.config.find_config`.
        options: `--cfg-options`.
        precisions: Some of `PRECISIONS`; None is the config's own.
        lean_levels: Some of 0, 1, 2; None is the config's own.
        batch_size: See `training_setup`, as for the following arguments.
        size: (height, width) in pixels.
        gpu: Predict for a GPU; else for the CPU.
        values: Other arguments of `training_setup`.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: A setup is invalid.
    """

    def __init__(
        self,
        name: str,
        options: Mapping[str, Any] | None = None,
        precisions: Sequence[str | None] = (None,),
        lean_levels: Sequence[int | None] = (None,),
        batch_size: int | None = None,
        size: Size | None = None,
        gpu: bool = True,
        **values: Any,
    ) -> None:
        self.name = Path(name).stem
        self.gpu = gpu
        self.config: Config = load_config(name, options=options)
        check_model(self.config)
        self.setups: list[TrainingSetup] = [
            training_setup(self.config, batch_size, size, precision, lean, **values)
            for precision, lean in itertools.product(precisions, lean_levels)
        ]

    def peaks(self) -> list[Peak]:
        """Predict the peak of each setup."""
        return [predict_peak(self.config, setup, self.gpu) for setup in self.setups]

    def largest_batches(self, gib: float, reserve: float = RESERVE) -> list[Peak | None]:
        """Predict the peak of each setup with the largest batch that a GPU holds.

        Args:
            gib: The GPU's memory in GiB.
            reserve: GiB of it to keep for what is not predicted.

        Returns:
            One item per setup; None if not even one image fits.

        Raises:
            ValueError: Nothing is left for tensors.
        """
        check_capacity(gib, reserve)
        return [self._largest(setup, int((gib - reserve) * GIB)) for setup in self.setups]

    def _largest(self, setup: TrainingSetup, limit: int) -> Peak | None:
        peaks: dict[int, Peak] = {}

        def predict_total(images: int) -> int:
            changed = replace(setup, batch_size=images)
            peaks[images] = predict_peak(self.config, changed, self.gpu)
            return peaks[images].total

        return peaks.get(largest_batch(predict_total, limit))


def check_capacity(gib: float, reserve: float) -> None:
    """Raise a ValueError if nothing is left for tensors."""
    if not 0 <= reserve < gib <= MOST_GIB:
        raise ValueError(
            f'--gib must be more than --reserve, which is not negative, and at most {MOST_GIB}: '
            f'{gib}, {reserve}'
        )
