"""Train one candidate for a short time and return its metric."""

from __future__ import annotations

import contextlib
import io
import math
from pathlib import Path

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from effnet_dense.data import check_data_files
from effnet_dense.data.config_walk import metrics_of, type_name
from effnet_dense.engine.jobs import build_runner

METRICS = {'CocoMetric': 'coco/bbox_mAP', 'IoUMetric': 'mIoU'}
WARM_UP = 0.1
"""Share of the steps."""


class LastMetricsHook(Hook):
    """Keeps the metrics of the last validation."""

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Keep the metrics."""
        self.metrics = dict(metrics or {})


def set_training_steps(config: Config, steps: int) -> None:
    """Set a schedule of linear warm-up and cosine decay to zero, with one validation at the end.

    Raises:
        ValueError: There is less than one step.
    """
    if steps < 1:
        raise ValueError(f'steps must be at least 1, got {steps}')
    config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=steps, val_interval=steps)
    warm_up = max(1, round(WARM_UP * steps))
    config.param_scheduler = [
        dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=warm_up),
        dict(
            type='CosineAnnealingLR',
            eta_min=0.0,
            by_epoch=False,
            begin=warm_up,
            end=max(steps, warm_up + 1),
            T_max=max(1, steps - warm_up),
        ),
    ]
    hooks = config.setdefault('default_hooks', {})
    hooks.logger = dict(type='LoggerHook', interval=max(1, steps // 10), log_metric_by_epoch=False)
    hooks.checkpoint = dict(
        type='CheckpointHook', by_epoch=False, interval=max(1, steps // 4), max_keep_ckpts=1
    )
    config.log_processor = dict(type='LogProcessor', window_size=20, by_epoch=False)


def default_metric(config: Config) -> str:
    """Return the name of the metric by which candidates are compared.

    Raises:
        ValueError: `METRICS` has none for the config's evaluators.
    """
    names = [type_name(metric) for metric in metrics_of(config.get('val_evaluator'))]
    found = [METRICS[name] for name in names if name in METRICS]
    if not found:
        raise ValueError(f'--metric is needed: the config evaluates by {names}, got none')
    return found[0]


def train_and_evaluate(config: Config, folder: Path, metric: str) -> float:
    """Train, resuming from the folder's last checkpoint if it has one, and return the metric.

    mmengine's output goes to its log file only.

    Raises:
        KeyError: The validation has no such metric.
        ValueError: It is not a finite number.
    """
    config.work_dir = str(folder)
    config.resume = True
    check_data_files(config, ('train', 'val'))
    last = LastMetricsHook()
    with contextlib.redirect_stdout(io.StringIO()):
        runner = build_runner(config)
        runner.register_hook(last)
        runner.train()
        if not last.metrics:  # killed between the last step and the validation
            runner.val()
    if metric not in last.metrics:
        raise KeyError(f'no metric {metric!r} after validation, only {", ".join(last.metrics)}')
    value = float(last.metrics[metric])
    if not math.isfinite(value):
        raise ValueError(
            f'{metric} must be a number after validation, got {value}: does the validation set '
            'have annotations?'
        )
    return value
