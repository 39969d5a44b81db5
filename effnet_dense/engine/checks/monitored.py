"""Compare the metrics that checkpoints, schedules and hooks follow with those of the validation."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

from mmengine.evaluator import Evaluator
from mmengine.hooks import CheckpointHook, EarlyStoppingHook
from mmengine.optim.scheduler.param_scheduler import ReduceOnPlateauParamScheduler

from effnet_dense.evaluation.metric_names import result_names


def check_metrics(key: str, evaluator: Any) -> set[str] | None:
    """Check the arguments of metrics that are read after the evaluation.

    Args:
        key: The evaluator's key.
        evaluator: Built.

    Returns:
        The names of its results; None if they are unknown.

    Raises:
        ValueError: There are no metrics, one has no such result, or two have the same.
    """
    known: set[str] = set()
    if not evaluator.metrics:
        raise ValueError(
            f'{key} names no metric: write one, or {key}=None without a {key[:-9]}loop'
        )
    complete = type(evaluator) is Evaluator  # others may rename results
    for metric in evaluator.metrics:
        try:
            check_kinds(metric)
            names = result_names(metric)
        except ValueError as error:
            raise ValueError(f'{key}: {type(metric).__name__}.{error}') from None
        twice = known & (names or set())
        if twice and complete:
            raise ValueError(
                f'{key}: {type(metric).__name__} computes {", ".join(sorted(twice)[:4])}, as '
                "another metric does: write another prefix='…'"
            )
        known |= names or set()
        complete = complete and names is not None
    return known if complete else None


def check_kinds(metric: Any) -> None:
    """Check that a metric computes something.

    Raises:
        ValueError: Its list of metrics is empty.
    """
    kinds = getattr(metric, 'metrics', None)
    if isinstance(kinds, list | tuple) and not kinds and not getattr(metric, 'format_only', False):
        raise ValueError('metric is empty: nothing would be evaluated; write what to compute')


def check_monitored(known: set[str], hooks: Iterable[Any], schedulers: Iterable[Any] = ()) -> None:
    """Check names of metrics, which are read after the first validation.

    Args:
        known: From `check_metrics`.
        hooks: The runner's.
        schedulers: Built.

    Raises:
        ValueError: The validation has no such result; names those that there are.
    """
    for key, name in [*_of_hooks(hooks), *_of_schedulers(schedulers)]:
        if name not in known and not (name == 'auto' and known) and 'loss' not in name:
            near = difflib.get_close_matches(name, sorted(known), n=1)
            mean = f'; did you mean {near[0]}?' if near else ''
            computed = ', '.join(sorted(known)) or 'nothing'
            raise ValueError(f'{key}={name!r}: val_evaluator computes {computed}{mean}')


def unvalidated(hooks: Iterable[Any]) -> list[str]:
    """Return a line for each metric that is followed in a training without a validation."""
    return [
        f'{key}={name!r} changes nothing: the training has no validation (val_cfg, '
        'val_dataloader, val_evaluator)'
        for key, name in _of_hooks(hooks)
    ]


def _of_hooks(hooks: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for hook in hooks:
        if isinstance(hook, CheckpointHook) and hook.save_best is not None:
            yield from (('default_hooks.checkpoint.save_best', name) for name in hook.save_best)
        elif isinstance(hook, EarlyStoppingHook):
            yield 'EarlyStoppingHook.monitor', hook.monitor


def _of_schedulers(schedulers: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for scheduler in schedulers:
        if isinstance(scheduler, ReduceOnPlateauParamScheduler):
            yield f'param_scheduler: {type(scheduler).__name__}.monitor', scheduler.monitor
