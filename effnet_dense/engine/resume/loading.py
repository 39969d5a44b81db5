"""Load a training state into a runner, with the checks of what it holds."""

from __future__ import annotations

from typing import Any

from effnet_dense.engine.resume.checkpoints import read_training_state
from effnet_dense.engine.resume.compare import (
    changes_of,
    check_after_loading,
    check_before_loading,
    refusal,
    resuming,
)
from effnet_dense.utils.wrappers import unwrap_model
from effnet_dense.weights.values import check_values


def load_training_state(runner: Any, filename: str, parts: tuple[bool, bool]) -> dict[str, Any]:
    """Read a training state, compare it with the run, and copy its weights into the model.

    Args:
        runner: Its loops, optimizer and schedules are built.
        filename: The checkpoint.
        parts: Whether the states of the optimizer, and of the schedules, will be loaded.

    Returns:
        The checkpoint.

    Raises:
        FileNotFoundError: No such file.
        ValueError: It holds no complete training state, or one of another run.
    """
    checkpoint = read_training_state(filename)
    with resuming(filename):
        changes = changes_of(runner, checkpoint)
        check_before_loading(runner, checkpoint)
    copy_weights(runner, checkpoint, filename, refusal(changes))
    with resuming(filename):
        check_after_loading(runner, checkpoint, changes, *parts)
    return checkpoint


def copy_weights(runner: Any, checkpoint: dict[str, Any], filename: str, reason: str = '') -> None:
    """Copy a checkpoint's weights into the model, after the hooks have seen them.

    Args:
        runner: Has the model.
        checkpoint: Has the `state_dict`.
        filename: Its name, for messages.
        reason: Why the model may be another one.

    Raises:
        ValueError: The weights do not fit the model, or have impossible values.
    """
    model = unwrap_model(runner.model)
    try:
        # Hooks may change the weights: EMAHook swaps the averaged ones for those being trained.
        runner.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        check_values(checkpoint['state_dict'], model.state_dict())
        model.load_state_dict(checkpoint['state_dict'])
    except (RuntimeError, ValueError) as error:
        changed = f'{reason}. ' if reason else ''
        raise ValueError(
            f'{filename} is a checkpoint of another model: {changed}{error}'
        ) from error
