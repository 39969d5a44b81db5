"""Show progress bars in a terminal, with the remaining time, the loss and the memory."""

from __future__ import annotations

import atexit
import logging
import resource
import sys
from typing import Any, TextIO

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.console import Console
from rich.file_proxy import FileProxy
from rich.progress import Progress, TextColumn

from effnet_dense.engine.deferred_scalars import DeferredScalars
from effnet_dense.registry import HOOKS
from effnet_dense.utils.progress import progress_bar

MIB = 2**20


def is_interactive(stream: TextIO | None = None) -> bool:
    """Return whether this is the main process, and the stream (standard output) a terminal."""
    stream = sys.stdout if stream is None else stream
    return stream.isatty() and is_main_process()


@HOOKS.register_module()
class ProgressHook(Hook):
    """Draw a bar for the training and one for each evaluation, below mmengine's log lines.

    The runner registers it if `is_interactive` returns true.

    Args:
        console: Where to draw; standard output by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        self.progress: Progress | None = None
        self.handlers: list[tuple[logging.StreamHandler[Any], Any]] = []
        self.training: Any = None
        self.evaluation: Any = None

    def before_run(self, runner: Runner) -> None:
        """Start drawing."""
        self.progress = progress_bar(TextColumn('{task.fields[note]}'), console=self.console)
        self.training = self.evaluation = None
        self.progress.start()
        self._redirect(runner.logger)
        # An error ends a run without `after_run`, and would leave the terminal without a cursor.
        atexit.register(self.stop)

    def before_train(self, runner: Runner) -> None:
        """Add the training's bar, at the iteration that the run starts or resumes from."""
        if self.progress is not None:
            self.training = self.progress.add_task(
                'train', total=runner.max_iters, completed=runner.iter, note=''
            )

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Advance the training's bar."""
        if self.progress is not None:
            note = f'{_loss(runner)}{peak_memory()}'
            self.progress.update(self.training, completed=runner.iter + 1, note=note)

    def before_val_epoch(self, runner: Runner) -> None:
        """Add a validation's bar."""
        self._begin('validate', len(runner.val_dataloader))

    def before_test_epoch(self, runner: Runner) -> None:
        """Add a test's bar."""
        self._begin('test', len(runner.test_dataloader))

    def after_val_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Advance the evaluation's bar."""
        self._advance()

    def after_test_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Advance the evaluation's bar."""
        self._advance()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Remove the validation's bar."""
        if self.progress is not None:
            self.progress.remove_task(self.evaluation)

    def after_run(self, runner: Runner) -> None:
        """Stop drawing."""
        self.stop()

    def stop(self) -> None:
        """Leave the bars on the screen, and send log lines to their own stream again."""
        for handler, stream in self.handlers:
            handler.setStream(stream)
        self.handlers.clear()
        if self.progress is not None:
            self.progress.stop()
            self.progress = None
        atexit.unregister(self.stop)

    def _begin(self, name: str, total: int) -> None:
        if self.progress is not None:
            self.evaluation = self.progress.add_task(name, total=total, note='')

    def _advance(self) -> None:
        if self.progress is not None:
            self.progress.update(self.evaluation, advance=1, note=peak_memory())

    def _redirect(self, logger: logging.Logger) -> None:
        """Print log lines above the bars: handlers still hold the stream that rich has replaced."""
        for handler in logger.handlers:
            if isinstance(handler, logging.StreamHandler) and not isinstance(
                handler, logging.FileHandler
            ):
                stream = handler.stream
                handler.setStream(FileProxy(self.console, stream))
                self.handlers.append((handler, stream))


def _loss(runner: Runner) -> str:
    """Return the last loss that is known on the host: reading a GPU's would wait for the step."""
    hub = runner.message_hub
    scalars = hub.fetched_scalars() if isinstance(hub, DeferredScalars) else hub.log_scalars
    return f'loss {scalars["train/loss"].current():.4g}  ' if 'train/loss' in scalars else ''


def peak_memory() -> str:
    """Return the peak so far: the CUDA allocator's or, without a GPU, the process's."""
    if torch.cuda.is_available():
        return f'{torch.cuda.max_memory_allocated() / MIB:.0f} MiB'
    return f'{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB'
