"""Bars in a terminal, below complete log lines."""

from __future__ import annotations

import logging
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.logging import MessageHub
from rich.console import Console

from effnet_dense.engine.deferred_scalars import DeferredScalars
from effnet_dense.engine.hooks.progress import ProgressHook, _loss, is_interactive


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def fake_runner(logger: logging.Logger) -> Any:
    loss = SimpleNamespace(current=lambda: 0.625)
    return SimpleNamespace(
        logger=logger,
        max_iters=4,
        iter=2,  # resumed
        val_dataloader=range(3),
        message_hub=SimpleNamespace(log_scalars={'train/loss': loss}),
    )


def test_only_in_a_terminal() -> None:
    assert is_interactive(Terminal())
    assert not is_interactive(StringIO())


def test_the_loss_of_a_gpu_is_not_waited_for() -> None:
    loss = SimpleNamespace(current=lambda: 0.625)
    hub: Any = DeferredScalars.adopt(MessageHub.get_instance('progress'))
    hub._log_scalars['train/loss'] = loss
    hub._fetch = lambda: pytest.fail('the bar waits for the GPU')
    runner: Any = SimpleNamespace(message_hub=hub)
    assert _loss(runner) == 'loss 0.625  '


def test_bars_losses_and_complete_log_lines() -> None:
    screen = Terminal()
    logger = logging.Logger('progress')
    handler = logging.StreamHandler(screen)
    logger.addHandler(handler)
    hook = ProgressHook(Console(file=screen, force_terminal=True, width=120, color_system=None))
    runner = fake_runner(logger)
    hook.before_run(runner)
    hook.before_train(runner)
    assert hook.progress is not None
    bars = hook.progress.tasks
    assert (bars[0].completed, bars[0].total) == (2, 4)
    hook.after_train_iter(runner, 0)
    assert bars[0].completed == 3
    assert bars[0].fields['note'].startswith('loss 0.625  ')
    assert bars[0].fields['note'].endswith(' MiB')

    logger.info('Epoch(train) a line [of mmengine]')
    hook.before_val_epoch(runner)
    hook.after_val_iter(runner, 0)
    assert [(bar.description, bar.completed) for bar in hook.progress.tasks][1] == ('validate', 1)
    hook.after_val_epoch(runner, {})
    assert [bar.description for bar in hook.progress.tasks] == ['train']

    hook.after_run(runner)
    assert hook.progress is None
    assert handler.stream is screen
    lines = [line.rstrip() for line in screen.getvalue().replace('\r', '\n').splitlines()]
    # Rich puts control codes, which erase the bar, before the line.
    assert any(line.endswith('Epoch(train) a line [of mmengine]') for line in lines)
    assert any('train' in line and '3/4' in line for line in lines)
