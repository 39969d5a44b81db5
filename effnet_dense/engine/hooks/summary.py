"""Tell a run's story on the console: what it trains, a line per epoch and validation, the end."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, Runner
from mmengine.visualization import TensorboardVisBackend

from effnet_dense.data.coco.label_order import classes_of
from effnet_dense.engine.checks.batch_size import images_per_step
from effnet_dense.engine.figures import duration, metrics_line, model_line, number, size_line
from effnet_dense.engine.hooks.best import FILE, best_in
from effnet_dense.engine.hooks.progress import peak_memory
from effnet_dense.registry import HOOKS
from effnet_dense.utils.counted import counted
from effnet_dense.utils.environment import processor_name
from effnet_dense.utils.wrappers import unwrap_model

FIRST, LONGEST = 120.0, 1800.0
"""Seconds after which the first line within an epoch appears, and the longest pause afterwards."""


@HOOKS.register_module()
class SummaryHook(Hook):
    """Logs what people read while a run goes on; the rest is in the log file.

    Before the training: model, parameters, device, data, image size, steps. After each epoch (in
    trainings by iterations before each validation) loss, learning rate, time left and memory; in
    longer ones also after two minutes, and then after pauses that double up to half an hour.
    After each evaluation its results. At the end: the best figure, its file, the time and the next
    commands.
    """

    # After CheckpointHook, which decides whether it was the best validation; before ReportHook.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self.start = self.last_line = time.monotonic()
        self.first_step = self.last_step = 0
        self.pause = FIRST

    def before_train(self, runner: Runner) -> None:
        """Describe the training."""
        self.start = self.last_line = time.monotonic()
        self.first_step = self.last_step = runner.iter
        self.pause = FIRST
        runner.logger.info(
            f'{model_line(runner.cfg, unwrap_model(runner.model))}, on {device(runner.cfg)}'
        )
        runner.logger.info(f'{_data_line(runner)}; {_length_line(runner)}')
        runner.logger.info(f'log and checkpoints: {shown_path(runner.work_dir)}')
        backends = runner.visualizer._vis_backends.values()
        if any(isinstance(backend, TensorboardVisBackend) for backend in backends):
            runner.logger.info(f'curves: tensorboard --logdir {shown_path(runner.work_dir)}')

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Log a line if there was none for long, and the epoch's does not follow at once."""
        if time.monotonic() - self.last_line > self.pause and not _ends_epoch(runner):
            self.pause = min(2 * self.pause, LONGEST)
            self._step_line(runner, runner.iter + 1)

    def after_train_epoch(self, runner: Runner) -> None:
        """Log the epoch's line."""
        if isinstance(runner._train_loop, EpochBasedTrainLoop):
            self._step_line(runner, runner.iter)

    def before_val(self, runner: Runner) -> None:
        """Log a line in trainings by iterations."""
        if isinstance(runner._train_loop, BaseLoop) and runner.iter > self.last_step:
            self._step_line(runner, runner.iter)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Log the results of a validation."""
        best = best_in(runner.message_hub.runtime_info)
        loop = runner._train_loop
        step = runner.epoch if isinstance(loop, EpochBasedTrainLoop) else runner.iter
        is_best = best is not None and best.step == step and isinstance(loop, BaseLoop)
        note = f' (the best so far: {FILE})' if is_best else ''
        runner.logger.info(f'  {metrics_line(metrics or {})}{note}')

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Log the results of a test."""
        images = len(runner.test_dataloader.dataset)
        runner.logger.info(f'{counted(images, "image")}, {metrics_line(metrics or {})}')

    def after_train(self, runner: Runner) -> None:
        """Log the end, and what to type next."""
        if runner.iter > self.last_step:
            self._step_line(runner, runner.iter)
        seconds = duration(time.monotonic() - self.start)
        runner.logger.info(f'trained in {seconds}, {_result(runner)}')
        for line in next_commands(shown_path(runner.work_dir)):
            runner.logger.info(line)

    def _step_line(self, runner: Runner, step: int) -> None:
        """Log the mean loss since the last line, the rate, the time left and the memory."""
        now = time.monotonic()
        done, self.last_step, self.last_line = step - self.last_step, step, now
        rest = (now - self.start) / max(step - self.first_step, 1) * (runner.max_iters - step)
        loss = runner.message_hub.log_scalars.get('train/loss')
        rates = runner.optim_wrapper.get_lr()
        rates = next(iter(rates.values()), [0.0])
        parts = [
            f'{_where(runner, step)}:',
            f'loss {loss.mean(max(done, 1)):.4g},' if loss is not None else '',
            f'lr {rates[0]:.2e}, {duration(rest)} left, {peak_memory()}',
        ]
        runner.logger.info(' '.join(part for part in parts if part))


def device(config: Config) -> str:
    """Name what a config's run computes on."""
    several = f'{get_world_size()} × ' if get_world_size() > 1 else ''
    if config.get('device') != 'cpu' and torch.cuda.is_available():
        return f'{several}{torch.cuda.get_device_name()}'
    threads = torch.get_num_threads()
    return f'{several}CPU ({processor_name()}, {counted(threads, "thread")})'


def next_commands(work_dir: str) -> list[str]:
    """Return lines with the commands for a finished training, as this one was started."""
    script = Path(sys.argv[0])
    by_tools = script.suffix == '.py' and script.parent.name == 'tools'
    run = 'python tools/{}.py' if by_tools else 'effnet-dense {}'
    predict = run.format('infer' if by_tools else 'predict')
    quoted = shlex.quote(work_dir)
    return [
        f'  predict: {predict} {quoted} IMAGE',
        f'  test:    {run.format("test")} {quoted}',
        f'  report:  {run.format("report")} {quoted}, or open {work_dir}/report/index.html',
    ]


def shown_path(path: str | Path) -> str:
    """Return a path as people would type it: from the current folder, if it is inside."""
    inside = os.path.relpath(path) if '://' not in str(path) else '..'
    return str(path) if inside.startswith('..') else inside


def _data_line(runner: Runner) -> str:
    """Describe the training data."""
    dataset = runner.train_dataloader.dataset
    classes, size = classes_of(dataset), size_line(runner.cfg)
    parts = [counted(len(dataset), 'image')]
    if classes:
        parts.append(counted(len(classes), 'class'))
    parts.append(f'trained on at {size} pixels' if size else 'trained on in their own size')
    return ', '.join(parts)


def _length_line(runner: Runner) -> str:
    """Describe the length of the training."""
    batch, left = images_per_step(runner), runner.max_iters - runner.iter
    resumed = f', {left} left' if runner.iter else ''
    if isinstance(runner._train_loop, EpochBasedTrainLoop):
        steps = len(runner.train_dataloader)
        return (
            f'{counted(runner.max_epochs, "epoch")} of {counted(steps, "step")} with '
            f'{counted(batch, "image")}: {counted(runner.max_iters, "step")}{resumed}'
        )
    return f'{counted(runner.max_iters, "step")} with {counted(batch, "image")}{resumed}'


def _ends_epoch(runner: Runner) -> bool:
    """Whether the step that was just trained is the last of its epoch."""
    if not isinstance(runner._train_loop, EpochBasedTrainLoop):
        return False
    return runner.iter + 1 == (runner.epoch + 1) * len(runner.train_dataloader)


def _where(runner: Runner, step: int) -> str:
    """Return such as 'epoch 3 of 15' or 'step 400 of 80000'."""
    if not isinstance(runner._train_loop, EpochBasedTrainLoop):
        return f'step {step} of {runner.max_iters}'
    inside = step - runner.epoch * len(runner.train_dataloader)
    of = len(runner.train_dataloader)
    part = f', step {inside} of {of}' if 0 < inside < of else ''
    return f'epoch {runner.epoch + 1} of {runner.max_epochs}{part}'


def _result(runner: Runner) -> str:
    """Name the best validation and its file, else the last checkpoint."""
    info = runner.message_hub.runtime_info
    best = best_in(info)
    if best is not None:
        figure = metrics_line({best.metric: best.value})
        path = shown_path(Path(runner.work_dir, FILE))
        return f'best {figure} after {best.when}: {path}'
    if info.get('best_ckpt'):
        return f'best {number(info.get("best_score"))}: {shown_path(info["best_ckpt"])}'
    last = info.get('last_ckpt')
    return f'last checkpoint: {shown_path(last)}' if last else 'no checkpoint'
