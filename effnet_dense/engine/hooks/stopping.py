"""Stop training on a signal, and name the checkpoint from which a run that ended can resume."""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from effnet_dense.engine.hooks.checkpoint import CheckpointHook
from effnet_dense.engine.resume.checkpoints import last_checkpoint
from effnet_dense.utils.atomic import DISK_FULL

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """Raised when a signal stops training; the exit status is 128 + the signal's number."""

    def __init__(self, signum: int, line: str) -> None:
        super().__init__(line)
        self.signum = signum


class StopHook(Hook):
    """On Ctrl-C, SIGTERM or SIGHUP, finish the current step, save a checkpoint and stop.

    A second signal stops at once. Several processes always stop at once, since they would have to
    agree on the step.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.signum = 0

    @contextmanager
    def handle_signals(self, single_process: bool) -> Iterator[None]:
        """Handle the signals inside the block.

        Args:
            single_process: If false, the signals keep their handlers.
        """
        self.signum = 0
        if not single_process or threading.current_thread() is not threading.main_thread():
            yield
            return
        # `nohup` ignores SIGHUP, which then must not stop the run.
        handled = [
            s for s in SIGNALS if s != signal.SIGHUP or signal.getsignal(s) != signal.SIG_IGN
        ]
        old = {signum: signal.signal(signum, self._remember) for signum in handled}
        try:
            yield
        finally:
            for signum, handler in old.items():
                signal.signal(signum, handler)

    def _remember(self, signum: int, frame: FrameType | None) -> None:
        if signum == signal.SIGHUP:
            leave_closed_terminal()
        if self.signum:
            raise Stopped(signum, 'stopped at once')
        self.signum = signum

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Save and stop after a signal."""
        if not self.signum:
            return
        savers = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]
        if savers:
            savers[0].save_interrupted(runner)
        raise Stopped(self.signum, f'stopped after iteration {runner.iter + 1}')

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Stop after a signal without saving: EMAHook has swapped in the averaged weights."""
        if self.signum:
            raise Stopped(self.signum, 'stopped while validating')


def leave_closed_terminal() -> None:
    """Send output to a terminal that was closed nowhere, where writing would raise an error."""
    for number in (1, 2):
        try:
            is_device = stat.S_ISCHR(os.fstat(number).st_mode)
        except OSError:  # closed
            continue
        if is_device and not os.isatty(number):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)


@contextmanager
def resume_hint(work_dir: str) -> Iterator[None]:
    """Add the last checkpoint to errors that end a training run; others are unchanged.

    Raises:
        Stopped: A signal arrived.
        ChildProcessError: The system killed a data loader's worker.
        OSError: The disk is full.
        FloatingPointError: Too many losses were not finite.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        signum = getattr(stop, 'signum', signal.SIGINT)
        reason = str(stop) or 'stopped at once'
        raise Stopped(signum, f'{reason}; {describe_last_checkpoint(work_dir)}') from None
    except RuntimeError as error:
        if 'DataLoader worker' not in str(error):
            raise
        raise _killed_worker(str(error).strip(), work_dir) from error
    except ConnectionError as error:  # a worker was killed while it sent a batch
        reason = f'DataLoader worker ended while it sent a batch ({error}).'
        raise _killed_worker(reason, work_dir) from error
    except FloatingPointError as error:
        raise FloatingPointError(f'{error}\n{describe_last_checkpoint(work_dir)}') from error
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        full = '' if 'disk is full' in str(error.strerror) else 'the disk is full: '
        reason = f'{full}{error.strerror}; {describe_last_checkpoint(work_dir)}'
        raise type(error)(error.errno, reason, error.filename or work_dir) from error


def _killed_worker(reason: str, work_dir: str) -> ChildProcessError:
    return ChildProcessError(
        f'{reason} Often memory or /dev/shm is exhausted: try a smaller '
        f'train_dataloader.num_workers; {describe_last_checkpoint(work_dir)}'
    )


def describe_last_checkpoint(work_dir: str) -> str:
    """Return one line on the last checkpoint of a work folder."""
    last = last_checkpoint(work_dir)
    if last is None:
        return 'there is no checkpoint yet'
    return f'the last checkpoint is {last}: continue with --resume'
