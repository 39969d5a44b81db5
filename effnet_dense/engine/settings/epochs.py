"""`--epochs N`: the length of a training in passes over its data."""

from __future__ import annotations

from mmengine.config import Config

from effnet_dense.engine.settings.length import Length
from effnet_dense.engine.settings.train_loop import set_length


def set_epochs(config: Config, epochs: int) -> None:
    """Train for a number of epochs; schedules, validation, checkpoints and hooks scale.

    A training that counts iterations becomes one that counts epochs: its log and checkpoints do,
    too, and its sampler reads each image once per epoch.

    Args:
        config: Changed in place.
        epochs: At least 1.

    Raises:
        ValueError: The config does not train, or has parts that cannot count epochs.
    """
    set_length(config, f'--epochs {epochs}', Length(epochs, 'epoch'))
