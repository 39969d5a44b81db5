"""Stop a training whose validation does not improve any more."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from effnet_dense.engine.checks.numbers import check_integer
from effnet_dense.engine.hooks.best import followed_metric, is_better, is_figure
from effnet_dense.registry import HOOKS
from effnet_dense.utils.counted import counted

STATE = 'effnet_dense_patience'
"""The key in the run's message hub, which checkpoints store."""


@HOOKS.register_module()
class PatienceHook(Hook):
    """Stop after a number of validations without a better result; a resumed run counts on.

    mmengine's `EarlyStoppingHook` counts an equal result as a better one, and forgets its count
    when a run is resumed.

    Args:
        patience: Validations without a better result, after which training stops.
        monitor: Name of the result, such as 'coco/bbox_mAP'; by default that of `best.pth`.
        rule: 'greater' or 'less'; by default the smaller loss and the greater of other results.

    Raises:
        ValueError: `patience` is not a whole number above 0, or `rule` is unknown.
    """

    priority = 'LOWEST'

    def __init__(self, patience: int, monitor: str = 'auto', rule: str | None = None) -> None:
        check_integer('patience', patience, 1)
        if rule not in (None, 'greater', 'less'):
            raise ValueError(f"rule must be 'greater' or 'less', got {rule!r}")
        self.patience = patience
        self.monitor = monitor
        self.rule = rule

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Compare the result with the best one; stop if it has not improved for long enough."""
        state = dict(runner.message_hub.runtime_info.get(STATE) or {})
        name = state.get('metric') or self._metric(metrics or {})
        value = (metrics or {}).get(name or '')
        if name is None or value is None:
            runner.logger.warning(
                f'the validation computed no {name or "result"}: it does not count for the '
                f'patience of {self.patience}'
            )
            return
        best = state.get('best')
        if is_figure(value) and (best is None or self._is_better(value, best, name)):
            state = dict(metric=name, best=float(value), waited=0)
        else:
            state = dict(metric=name, best=best, waited=state.get('waited', 0) + 1)
        runner.message_hub.update_info(STATE, state)
        if state['waited'] >= self.patience:
            runner.train_loop.stop_training = True
            found = 'no figure' if state['best'] is None else f'{state["best"]:.4g}'
            runner.logger.info(
                f'stopped early: {name} was not better than {found} in '
                f'{counted(state["waited"], "validation")}'
            )

    def _metric(self, metrics: dict[str, Any]) -> str | None:
        return followed_metric(metrics) if self.monitor == 'auto' else self.monitor

    def _is_better(self, value: float, best: float, name: str) -> bool:
        if self.rule is None:
            return is_better(value, best, name)
        return value > best if self.rule == 'greater' else value < best
