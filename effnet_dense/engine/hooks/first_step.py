"""Report what a config's values make fail in the first step as an error of the config."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb
from typing import Any

import cv2
import torch
from mmengine.hooks import Hook

from effnet_dense.utils.config_errors import OF_ARGUMENTS, reason

OF_MACHINES = ('CUDA', 'NCCL', 'out of memory', 'Gloo', 'gloo', 'DataLoader worker')
"""In messages of errors that no config causes."""


class FirstStepHook(Hook):
    """Notes which of training, validation and test have completed a step."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.phase = ''
        self.done: set[str] = set()

    def before_train(self, runner: Any) -> None:
        """Note the phase."""
        self.phase = 'training'

    def before_val(self, runner: Any) -> None:
        """Note the phase."""
        self.phase = 'validation'

    def after_val(self, runner: Any) -> None:
        """Note the phase; evaluations of the training itself are part of it."""
        self.done.add('validation')
        self.phase = 'training'

    def before_test(self, runner: Any) -> None:
        """Note the phase."""
        self.phase = 'test'

    def after_test(self, runner: Any) -> None:
        """Note that the metrics are computed."""
        self.done.add('test')

    def after_train_iter(self, *args: Any, **kwargs: Any) -> None:
        """Note the step."""
        self.done.add('training')

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn errors of impossible values into one line, until a phase has completed a step.

        Later ones keep their traceback, as do those of the machine.

        Raises:
            ValueError: In place of a TypeError, AssertionError and others in the block.
        """
        try:
            yield
        except torch.OutOfMemoryError:
            raise
        except (*OF_ARGUMENTS, ZeroDivisionError, cv2.error) as error:
            if self.phase in self.done or any(word in str(error)[:400] for word in OF_MACHINES):
                raise
            step = f'the first step of the {self.phase}' if self.phase else 'what it builds'
            raise ValueError(
                f'the config does not fit its data or model, {step} failed: {_described(error)}; '
                '--debug shows where'
            ) from error


def _described(error: BaseException) -> str:
    """Return an error's message, kind and place."""
    frame = extract_tb(error.__traceback__)[-1]
    place = f'({type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno})'
    text = ' '.join(reason(error).split())
    return f'{text if len(text) < 300 else text[:300] + "…"} {place}'
