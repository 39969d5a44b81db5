"""`--iterations N`: the length of a training in steps of batches."""

from __future__ import annotations

from mmengine.config import Config

from effnet_dense.engine.settings.length import Length
from effnet_dense.engine.settings.train_loop import set_length


def set_iterations(config: Config, iterations: int) -> None:
    """Train for a number of batches; schedules, validation, checkpoints and hooks scale.

    A training that counts epochs becomes one that counts iterations: its log and checkpoints do,
    too. The data is read as often as that takes.

    Args:
        config: Changed in place.
        iterations: At least 1.

    Raises:
        ValueError: The config does not train, or has parts that need epochs.
    """
    set_length(config, f'--iterations {iterations}', Length(iterations, 'iteration'))
