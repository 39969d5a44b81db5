"""How a training that cannot go on ends: with a line that says why, and from where to go on."""

from __future__ import annotations

import signal
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

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """A training was stopped by a signal; exit status is 128 + its number."""

    def __init__(self, signum: int, line: str) -> None:
        super().__init__(line)
        self.signum = signum


class StopHook(Hook):
    """Ctrl-C, and SIGTERM, end a training behind the step it is in, with a checkpoint.

    A second signal ends it at once. Of several processes each is ended at once, since they
    would have to agree on the step.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.signum = 0

    @contextmanager
    def listening(self, alone: bool) -> Iterator[None]:
        """Handle the signals in here.

        Args:
            alone: There are no other processes; else the signals do what they always do.
        """
        self.signum = 0
        if not alone or threading.current_thread() is not threading.main_thread():
            yield
            return
        old = {signum: signal.signal(signum, self._remember) for signum in SIGNALS}
        try:
            yield
        finally:
            for signum, handler in old.items():
                signal.signal(signum, handler)

    def _remember(self, signum: int, frame: FrameType | None) -> None:
        if self.signum:
            raise Stopped(signum, 'stopped at once')
        self.signum = signum

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Save and stop, if a signal has come."""
        if not self.signum:
            return
        savers = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]
        if savers:
            savers[0].save_interrupted(runner)
        raise Stopped(self.signum, f'stopped behind iteration {runner.iter + 1}')

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Stop, if a signal has come: the weights are the averaged ones now, not to be saved."""
        if self.signum:
            raise Stopped(self.signum, 'stopped while validating')


@contextmanager
def told_end(work_dir: str) -> Iterator[None]:
    """Say in an error that ends a training where it can go on.

    Raises:
        Stopped: by a signal.
        ChildProcessError: the system killed a data loader's worker.
        OSError: the disk is full, say.
        FloatingPointError: the loss was not finite too often.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        signum = getattr(stop, 'signum', signal.SIGINT)
        why = str(stop) or 'stopped at once'
        raise Stopped(signum, f'{why}; {where_to_go_on(work_dir)}') from None
    except RuntimeError as error:
        if 'DataLoader worker' not in str(error):
            raise
        raise ChildProcessError(
            f'{str(error).strip()} Often memory has run out, or /dev/shm has: try a smaller '
            f'train_dataloader.num_workers; {where_to_go_on(work_dir)}'
        ) from error
    except FloatingPointError as error:
        raise FloatingPointError(f'{error}\n{where_to_go_on(work_dir)}') from error
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        reason = f'{error.strerror}; {where_to_go_on(work_dir)}'
        raise type(error)(error.errno, reason, error.filename) from error


def where_to_go_on(work_dir: str) -> str:
    """A line on the last checkpoint."""
    last = last_checkpoint(work_dir)
    if last is None:
        return 'there is no checkpoint yet'
    return f'the last checkpoint is {last}: go on with --resume'
