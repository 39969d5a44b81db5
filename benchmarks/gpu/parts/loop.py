"""Where a training step makes the host wait for the GPU, beside what was counted without one."""

from __future__ import annotations

import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from benchmarks.gpu.conditions import Conditions
from benchmarks.gpu.record import Record
from benchmarks.gpu.trainings import Training, config_of, run_training
from effnet_dense.analysis.waits import list_waits

PLACES = ('effnet_dense/', 'mmengine/', 'mmdet/', 'mmcv/')
TRAINING = Training('loop', steps=20, batch=8)
QUIET = {'default_hooks.logger.interval': 10**6}


def run(conditions: Conditions, record: Record) -> None:
    """Count the waits of a training by their places."""
    forecast = Training('waits', steps=20, batch=2, precision='fp32')
    listed = Counter(f'{wait.file}:{wait.line}' for wait in _forecast(forecast, conditions))
    record.note(f'Listed without a GPU: {listed.total()} a step ({", ".join(listed) or "none"}).')
    training = Training(TRAINING.name, steps=TRAINING.steps, batch=TRAINING.batch, options=QUIET)
    with counted_waits() as seen:
        run_training(training, conditions)
    steps = conditions.pick(training.steps, 4)
    record.note(f'{seen.total() / steps:.1f} waits a step, start and end of the training included.')
    for place, count in seen.most_common(25):
        record.add('waits', place=place, count=count, **{'a step': count / steps})


def _forecast(training: Training, conditions: Conditions) -> list[Any]:
    return list_waits(config_of(training, conditions))


@contextmanager
def counted_waits() -> Iterator[Counter[str]]:
    """Yield a counter of the places at which torch says that the host waits."""
    seen: Counter[str] = Counter()

    def show(message: Any, *_: Any, **__: Any) -> None:
        if 'synchroniz' in str(message):
            seen[_place(traceback.extract_stack())] += 1

    cuda = torch.cuda.is_available()
    with warnings.catch_warnings():
        warnings.simplefilter('always')
        warnings.showwarning = show
        if cuda:
            torch.cuda.set_sync_debug_mode('warn')
        try:
            yield seen
        finally:
            if cuda:
                torch.cuda.set_sync_debug_mode('default')


def _place(stack: traceback.StackSummary) -> str:
    """Return file, line and code of the innermost frame of this package or OpenMMLab's."""
    for frame in reversed(stack):
        for package in PLACES:
            _, found, rest = frame.filename.rpartition(package)
            if found:
                return f'{found}{rest}:{frame.lineno} {(frame.line or "")[:60]}'
    return 'elsewhere'
