"""Trainings that end early: one clear line, and nothing is lost."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mmengine.hooks import Hook
from mmengine.registry import RUNNERS

from effnet_dense.commands.config_arguments import config_parser
from effnet_dense.commands.program import run
from effnet_dense.engine.hooks.stopping import Stopped, resume_hint
from effnet_dense.engine.runner import Runner
from tests.helpers import resumable
from tests.helpers.resumable import EPOCHS, differences, end_state
from tests.helpers.tiers import slow_except
from tests.helpers.tiny import write_data


@pytest.fixture(scope='module', autouse=True)
def quick() -> Iterator[None]:
    """Without the time that a config's text takes."""
    patch = resumable.plain_config_text()
    yield
    patch.undo()


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight images to train on: four batches."""
    return write_data(tmp_path_factory.mktemp('eight'), train=8)


class At(Hook):
    """Does something before an iteration, or in a validation."""

    def __init__(self, iteration: int, action: Callable[[], Any], validating: bool = False) -> None:
        self.iteration = iteration
        self.action = action
        self.validating = validating

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Do it."""
        if not self.validating and runner.iter + 1 == self.iteration:
            self.action()

    def before_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Do it."""
        if self.validating:
            self.action()


def status(runner: Runner) -> int:
    """The exit status of a tool that trains."""
    return run(lambda args: runner.train(), config_parser(''), ['some_config'])


def build(data: Path, work_dir: Path, *hooks: Hook, **changes: Any) -> Runner:
    runner = RUNNERS.build(resumable.config(data, work_dir, **{**EPOCHS, **changes}))
    for hook in hooks:
        runner.register_hook(hook)
    return runner


def send(signum: int, times: int = 1) -> Callable[[], None]:
    def act() -> None:
        for _ in range(times):
            os.kill(os.getpid(), signum)

    return act


@pytest.mark.parametrize(
    ('signum', 'expected'),
    slow_except(
        [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], (signal.SIGTERM, 143)
    ),
)
def test_ctrl_c_saves_where_it_was(
    signum: int, expected: int, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    handler = signal.getsignal(signum)
    assert status(build(data, tmp_path, At(6, send(signum)))) == expected
    last_line = capfd.readouterr().err.splitlines()[-1]
    assert last_line.startswith('stopped after iteration 6; the last checkpoint is ')
    assert last_line.endswith('interrupted.pth: continue with --resume')
    assert signal.getsignal(signum) == handler
    if signum == signal.SIGINT:
        build(data, tmp_path / 'whole').train()
        build(data, tmp_path, resume=True).train()
        ends = [end_state(folder / 'epoch_3.pth') for folder in (tmp_path, tmp_path / 'whole')]
        assert differences(*ends) == []


@pytest.mark.slow
def test_nohup_outlives_its_terminal(data: Path, tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        build(data, tmp_path, At(2, send(signal.SIGHUP))).train()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (tmp_path / 'epoch_3.pth').is_file()


def test_twice_stops_at_once(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert status(build(data, tmp_path, At(2, send(signal.SIGINT, 2)))) == 130
    assert 'stopped at once; there is no checkpoint yet' in capfd.readouterr().err
    assert not (tmp_path / 'interrupted.pth').exists()


def test_in_a_validation(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    stop = At(0, send(signal.SIGINT), validating=True)
    assert status(build(data, tmp_path, stop)) == 130
    error = capfd.readouterr().err
    assert 'stopped while validating; the last checkpoint is ' in error and 'epoch_1.pth' in error


@pytest.mark.slow
def test_a_killed_worker_is_reported(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def kill() -> None:
        for child in multiprocessing.active_children():
            os.kill(child.pid or 0, signal.SIGKILL)

    workers = {'train_dataloader.num_workers': 1, 'train_dataloader.persistent_workers': True}
    assert status(build(data, tmp_path, At(5, kill), **workers)) == 2
    error = capfd.readouterr().err
    assert 'error: DataLoader worker' in error and 'num_workers' in error
    assert 'the last checkpoint is ' in error and 'epoch_1.pth: continue with --resume' in error


def test_a_worker_killed_while_it_sends(tmp_path: Path) -> None:
    message = r'^DataLoader worker .*reset.*num_workers; there is no checkpoint yet'
    with pytest.raises(ChildProcessError, match=message), resume_hint(str(tmp_path)):
        raise ConnectionResetError(104, 'Connection reset by peer')


@pytest.mark.parametrize(
    'error', [ValueError('three'), RuntimeError('out of memory'), OSError('x')]
)
def test_other_errors_are_unchanged(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)) as caught, resume_hint(str(tmp_path)):
        raise error
    assert caught.value is error


def test_ctrl_c_before_the_training_is_130(tmp_path: Path) -> None:
    with pytest.raises(Stopped) as caught, resume_hint(str(tmp_path)):
        raise KeyboardInterrupt
    assert caught.value.signum == signal.SIGINT

    def tool(args: Any) -> None:
        raise KeyboardInterrupt

    assert run(tool, config_parser(''), ['some_config']) == 130
