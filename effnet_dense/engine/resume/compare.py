"""Compare a training state with the run that resumes it: what is taken, ignored, and impossible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from mmengine.optim import BaseOptimWrapper, OptimWrapperDict
from mmengine.runner import BaseLoop
from torch import Tensor, nn

from effnet_dense.engine.checks.classes import classes_of, describe
from effnet_dense.engine.checks.schedule import flat
from effnet_dense.engine.resume.averages import keep_trained_weights
from effnet_dense.engine.resume.config_changes import Change, config_changes
from effnet_dense.engine.resume.config_defaults import is_default
from effnet_dense.engine.resume.contents import COUNTED
from effnet_dense.engine.resume.optimizer_state import (
    check_optimizer,
    ignored_values,
    optimizers,
    states_of,
)
from effnet_dense.engine.resume.schedule_state import check_schedules, ignored_arguments
from effnet_dense.engine.resume.values import alike, short
from effnet_dense.utils.saved_config import plain, saved_config
from effnet_dense.utils.wrappers import unwrap_model

SHOWN = 12
START = 'start from its weights with --cfg-options load_from=CHECKPOINT in place of --resume'
BEST = ('default_hooks.checkpoint.save_best', 'default_hooks.checkpoint.rule')
SCALER = {'scale', 'growth_factor', 'backoff_factor', 'growth_interval', '_growth_tracker'}


@contextmanager
def resuming(filename: str) -> Iterator[None]:
    """Name the file in errors of the block.

    Raises:
        ValueError: In place of the block's.
    """
    try:
        yield
    except ValueError as error:
        raise ValueError(f'{filename} cannot be resumed: {error}') from None


def changes_of(runner: Any, checkpoint: Mapping[str, Any]) -> list[Change] | None:
    """Return the changes of the config; None if the checkpoint carries none."""
    saved = saved_config(checkpoint)
    if saved is None:
        return None
    current = plain(runner.cfg)
    changes = config_changes(saved, current, checkpoint['meta'].get('seed'))
    scope = runner.cfg.get('default_scope', 'mmengine')
    scaled = 'loss_scaler' in checkpoint['optimizer']
    return [
        replace(change, verdict='ignored')
        if scaled and change.key.startswith('optim_wrapper.loss_scale')
        else change
        for change in changes
        if not is_default(change, saved, current, scope)
    ]


def check_before_loading(runner: Any, checkpoint: dict[str, Any]) -> None:
    """Check classes and averages, which loading would mix up; keep the trained weights.

    Raises:
        ValueError: Other classes, or averages of other weights.
    """
    if isinstance(runner._train_loop, BaseLoop):
        _check_classes(runner, checkpoint['meta'])
    keep_trained_weights(runner, checkpoint)


def _check_classes(runner: Any, meta: Mapping[str, Any]) -> None:
    trained = classes_of(_Meta(meta.get('dataset_meta')))
    own = classes_of(runner._train_loop.dataloader.dataset)
    if trained and own and trained != own and not runner.cfg.model.get('language_model'):
        raise ValueError(
            f'it was trained on {describe(trained)}, train_dataloader has {describe(own)}: resume '
            f'with the same classes in the same order, or {START}'
        )


class _Meta:
    """The `metainfo` of a data set that is not there."""

    def __init__(self, metainfo: Any) -> None:
        self.metainfo = metainfo


def refusal(changes: list[Change] | None) -> str:
    """Return what cannot be resumed, '' if all can."""
    refused = [str(change) for change in changes or () if change.verdict == 'refused']
    return _listed(refused)


def check_after_loading(
    runner: Any,
    checkpoint: Mapping[str, Any],
    changes: list[Change] | None,
    with_optimizer: bool = True,
    with_schedules: bool = True,
) -> None:
    """Check that optimizer and schedules fit, then log what is taken and what is ignored.

    Args:
        runner: With the weights loaded.
        checkpoint: From `read_training_state`.
        changes: From `changes_of`.
        with_optimizer: The optimizer's state will be loaded.
        with_schedules: The schedules' states will be loaded.

    Raises:
        ValueError: The run cannot resume from the checkpoint.
    """
    refused = refusal(changes)
    if refused:
        raise ValueError(f'{refused}; write the same, or {START}')
    if any(change.key.startswith(BEST) for change in changes or ()):
        _forget_best(checkpoint['message_hub'])
    _check_gradients(runner.model, checkpoint['meta'])
    lines = [(c.key, str(c).partition(': ')[2]) for c in changes or () if c.verdict == 'ignored']
    if with_optimizer and isinstance(runner.optim_wrapper, BaseOptimWrapper):
        lines += _optimizer_lines(runner, checkpoint)
    if with_schedules and runner.param_schedulers and _is_built(runner.param_schedulers):
        lines += _schedule_lines(runner.param_schedulers, checkpoint)
    elif with_schedules and checkpoint.get('param_schedulers'):
        runner.logger.warning(
            'resume: taken from this run: no param_scheduler; the rate stays at its last value'
        )
    _log(runner.logger, lines, changes)


def _log(logger: Any, lines: list[tuple[str, str]], changes: list[Change] | None) -> None:
    ignored = list(dict.fromkeys(f'{key}: {values}' for key, values in lines))
    if ignored:
        logger.warning(
            f"resume: ignored, the checkpoint's values stay in use: {_listed(ignored)}; to change "
            f'them, {START}'
        )
    taken = [str(change) for change in changes or () if change.verdict == 'taken']
    if taken:
        logger.warning(f'resume: taken from this run: {_listed(taken)}')
    if changes is None:
        logger.info(
            'resume: the checkpoint carries no config, so changes of the config cannot be listed'
        )


def _forget_best(hub: Mapping[str, Any]) -> None:
    """Remove the best scores so far, which were those of other metrics, or by another rule."""
    for part in ('runtime_info', 'resumed_keys'):
        for key in [key for key in hub[part] if key.startswith(('best_score', 'best_ckpt'))]:
            del hub[part][key]


def _is_built(schedules: Any) -> bool:
    return not any(isinstance(part, dict) for part in flat(schedules))


def _listed(lines: list[str]) -> str:
    more = f'; and {len(lines) - SHOWN} more' if len(lines) > SHOWN else ''
    return '; '.join(lines[:SHOWN]) + more


def _optimizer_lines(runner: Any, checkpoint: Mapping[str, Any]) -> list[tuple[str, str]]:
    wrapper = runner.optim_wrapper
    states = states_of(checkpoint['optimizer'], wrapper)
    lines = []
    for name, optimizer in optimizers(wrapper).items():
        _check_scaler(states[name])
        check_optimizer(states[name], optimizer, _has_stepped(wrapper, checkpoint['meta']))
        found = ignored_values(states[name], optimizer)
        lines += [(f'optim_wrapper.{name}{key}', values) for key, values in found]
    return lines


def _check_scaler(state: Any) -> None:
    """Check a loss scaler's state; drop that of one that was off, which torch refuses to load."""
    scaler = state.get('loss_scaler') if isinstance(state, dict) else None
    if scaler == {}:
        del state['loss_scaler']
    elif scaler is not None and not (isinstance(scaler, Mapping) and {*scaler} >= SCALER):
        raise ValueError(
            f"expected the optimizer's loss_scaler to have {', '.join(sorted(SCALER))}, got "
            f'{short(scaler)}'
        )


def _has_stepped(wrapper: Any, meta: Mapping[str, Any]) -> bool:
    """Whether the optimizer has taken a step; unknown counts as no."""
    progress = meta.get('progress') or {}
    if COUNTED in progress:
        return bool(progress[COUNTED])
    several = isinstance(wrapper, OptimWrapperDict)
    accumulated = 1 if several else getattr(wrapper, '_accumulative_counts', 1)
    return bool(meta['iter'] >= accumulated and not progress.get('gradients'))


def _schedule_lines(built: Any, checkpoint: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    saved = checkpoint.get('param_schedulers')
    if saved is None:
        raise ValueError(
            'it has no states of schedules (param_scheduler), which would begin anew: write '
            f'param_scheduler=None, or {START}'
        )
    check_schedules(saved, built)
    return ignored_arguments(saved, built)


def _check_gradients(model: nn.Module, meta: Mapping[str, Any]) -> None:
    parameters = dict(unwrap_model(model).named_parameters())
    gradients: Mapping[str, Tensor] = (meta.get('progress') or {}).get('gradients', {})
    for name, gradient in gradients.items():
        if name not in parameters or not alike(gradient, parameters[name]):
            raise ValueError(
                f'expected accumulated gradients in the shapes of the parameters, got '
                f'{tuple(gradient.shape)} for {name}'
            )
