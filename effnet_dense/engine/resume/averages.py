"""Keep the trained weights of checkpoints in which EMAHook has exchanged them with averages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.hooks import EMAHook, Hook

from effnet_dense.engine.resume.values import alike

AVERAGES = 'ema_state_dict'
"""EMAHook saves the averages as `state_dict`, and the trained weights under this key."""


def keep_trained_weights(runner: Any, checkpoint: dict[str, Any]) -> None:
    """Check the averages; where the run has no EMAHook, put the trained weights in their place.

    Args:
        runner: With its hooks.
        checkpoint: A training state, which is changed.

    Raises:
        ValueError: Averages and weights have other names or shapes.
    """
    if AVERAGES not in checkpoint:
        return
    if any(isinstance(hook, EMAHook) for hook in runner.hooks):
        _check_averages(checkpoint)
    elif all(type(h).after_load_checkpoint is Hook.after_load_checkpoint for h in runner.hooks):
        _check_averages(checkpoint)
        trained = checkpoint.pop(AVERAGES)
        for name in checkpoint['state_dict']:
            checkpoint['state_dict'][name] = trained[f'module.{name}']
        runner.logger.warning(
            'resume: the checkpoint has averages of weights (EMAHook), this run makes none: it '
            'continues from the trained weights'
        )


def _check_averages(checkpoint: Mapping[str, Any]) -> None:
    averages, weights = checkpoint[AVERAGES], checkpoint['state_dict']
    if not isinstance(averages, Mapping):
        raise ValueError(f'expected {AVERAGES} to be a dictionary, got {type(averages).__name__}')
    given = {
        name.removeprefix('module.'): value
        for name, value in averages.items()
        if str(name).startswith('module.')
    }
    wrong = sorted({*given} ^ {*weights})
    wrong += [name for name in given if name in weights and not alike(given[name], weights[name])]
    if wrong:
        raise ValueError(
            f'expected {AVERAGES} to have a tensor for each of the {len(weights)} weights, in its '
            f'shape; got none or another for {len(wrong)} ({wrong[0]})'
        )
