"""Apply a run's settings to its config, in the order in which they depend on each other."""

from __future__ import annotations

from mmengine.config import Config

from effnet_dense.settings import Settings


def set_before_data(config: Config, settings: Settings) -> None:
    """Apply what the data's check depends on: backbone, weights and image size.

    Args:
        config: Changed in place.
        settings: What to set.

    Raises:
        ValueError: A setting does not fit the config; the message has the setting and the reason.
    """


def set_after_data(config: Config, settings: Settings) -> None:
    """Apply what depends on the data: classes, lengths, batch size and what follows from it.

    Args:
        config: Changed in place.
        settings: What to set.

    Raises:
        ValueError: A setting does not fit the config; the message has the setting and the reason.
    """
