"""Apply a run's settings to its config, in the order in which they depend on each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from effnet_dense.data.coco.folder import CONVERTED
from effnet_dense.data.folders import SPLITS
from effnet_dense.engine.settings.classes import set_classes
from effnet_dense.engine.settings.model import set_model
from effnet_dense.settings import Settings

# A setting's name, and what writes its value into a config.
Step = tuple[str, Callable[[Config, Any], None]]

BEFORE_DATA: tuple[Step, ...] = ()
"""What the data's check depends on, in this order: backbone, weights, image size."""

AFTER_DATA: tuple[Step, ...] = ()
"""What depends on the data, and on the settings before it: classes, batch size, lengths …"""


def set_before_data(config: Config, settings: Settings) -> None:
    """Apply what the data's check depends on: backbone, weights and image size.

    Args:
        config: Changed in place.
        settings: What to set.

    Raises:
        ValueError: A setting does not fit the config; the message has the setting and the reason.
    """
    set_model(config, settings)
    _apply(BEFORE_DATA, config, settings)


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
    _apply(AFTER_DATA, config, settings)


def _apply(steps: tuple[Step, ...], config: Config, settings: Settings) -> None:
    given = settings.given()
    for name, write in steps:
        if name in given:
            write(config, given[name])
