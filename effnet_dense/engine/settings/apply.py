"""Apply a run's settings to its config, in the order in which they depend on each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from effnet_dense.data.coco.folder import CONVERTED
from effnet_dense.data.folders import SPLITS
from effnet_dense.engine.settings.batch_size import set_batch_size
from effnet_dense.engine.settings.classes import set_classes
from effnet_dense.engine.settings.compiling import set_compile
from effnet_dense.engine.settings.cuda_graphs import set_cuda_graphs
from effnet_dense.engine.settings.device import set_device
from effnet_dense.engine.settings.epochs import set_epochs
from effnet_dense.engine.settings.harden import set_harden
from effnet_dense.engine.settings.iterations import set_iterations
from effnet_dense.engine.settings.lean import set_lean
from effnet_dense.engine.settings.learning_rate import set_learning_rate
from effnet_dense.engine.settings.loggers import set_loggers
from effnet_dense.engine.settings.model import set_model
from effnet_dense.engine.settings.patience import set_patience
from effnet_dense.engine.settings.precision import set_precision
from effnet_dense.engine.settings.reduced_decoding import set_reduced_decoding
from effnet_dense.engine.settings.seed import set_seed
from effnet_dense.engine.settings.workers import set_workers
from effnet_dense.settings import Settings

# A setting's name, and what writes its value into a config.
Step = tuple[str, Callable[[Config, Any], None]]

COMPUTING: tuple[Step, ...] = (
    ('device', set_device),
    ('precision', set_precision),
    ('lean', set_lean),
    ('compile', set_compile),
    ('cuda_graphs', set_cuda_graphs),
)
"""Where and how a run computes, on which the largest batch that fits depends."""

LENGTHS: tuple[Step, ...] = (
    ('lr', set_learning_rate),
    ('epochs', set_epochs),
    ('iterations', set_iterations),
    ('patience', set_patience),
    ('seed', set_seed),
    ('workers', set_workers),
    ('reduced_decoding', set_reduced_decoding),
    ('harden', set_harden),
    ('loggers', set_loggers),
)
"""What follows after the batch size."""


def set_before_data(config: Config, settings: Settings) -> None:
    """Apply what needs no data, so that it is refused before any are read, or made.

    The check of the data depends on backbone and image size.

    Args:
        config: Changed in place.
        settings: What to set.

    Raises:
        ValueError: A setting does not fit the config; the message has the setting and the reason.
    """
    set_model(config, settings)
    _apply(COMPUTING, config, settings)


def set_after_data(
    config: Config,
    settings: Settings,
    scratch: Path = CONVERTED,
    splits: Sequence[str] = SPLITS,
) -> None:
    """Apply what depends on the data: classes, lengths, batch size and what follows from it.

    Args:
        config: Changed in place.
        settings: What to set.
        scratch: Folder for annotation files of the chosen classes.
        splits: The splits of the data that are needed: ('val',) to test.

    Raises:
        ValueError: A setting does not fit the config; the message has the setting and the reason.
    """
    if settings.classes is not None:
        set_classes(config, settings.classes, scratch, splits)
    if settings.batch_size is not None:
        set_batch_size(config, settings.batch_size, keep_rate=settings.lr is not None)
    _apply(LENGTHS, config, settings)


def _apply(steps: tuple[Step, ...], config: Config, settings: Settings) -> None:
    given = settings.given()
    for name, write in steps:
        if name in given:
            write(config, given[name])
