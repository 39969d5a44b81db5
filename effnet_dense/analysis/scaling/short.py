"""One candidate's short training, and the metric that it reaches."""

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
WARM_UP = 0.1  # of the steps
NOTHING = 'is there an annotation in the validation set?'


class KeepMetrics(Hook):
    """Keeps what the last validation found."""

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Remember the metrics."""
        self.metrics = dict(metrics or {})


def shorten(config: Config, steps: int) -> None:
    """Train for some steps: linear warm-up, then a cosine to zero; validate once, at the end.

    Raises:
        ValueError: Less than one step.
    """
    if steps < 1:
        raise ValueError(f'steps must be at least 1, got {steps}')
    config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=steps, val_interval=steps)
    warm = max(1, round(WARM_UP * steps))
    config.param_scheduler = [
        dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=warm),
        dict(
            type='CosineAnnealingLR',
            eta_min=0.0,
            by_epoch=False,
            begin=warm,
            end=max(steps, warm + 1),
            T_max=max(1, steps - warm),
        ),
    ]
    hooks = config.setdefault('default_hooks', {})
    hooks.logger = dict(type='LoggerHook', interval=max(1, steps // 10), log_metric_by_epoch=False)
    hooks.checkpoint = dict(
        type='CheckpointHook', by_epoch=False, interval=max(1, steps // 4), max_keep_ckpts=1
    )
    config.log_processor = dict(type='LogProcessor', window_size=20, by_epoch=False)


def metric_of(config: Config) -> str:
    """The name of the metric by which candidates are compared.

    Raises:
        ValueError: The config's evaluator has none that is known here.
    """
    names = [type_name(metric) for metric in metrics_of(config.get('val_evaluator'))]
    found = [METRICS[name] for name in names if name in METRICS]
    if not found:
        raise ValueError(f'--metric is needed: the config evaluates by {names}, got none')
    return found[0]


def train_and_evaluate(config: Config, folder: Path, metric: str) -> float:
    """Train, going on from the folder's last checkpoint if there is one; the metric at the end.

    What mmengine prints goes to its log file alone.

    Raises:
        KeyError: The validation has no such metric.
        ValueError: It is not a finite number.
    """
    config.work_dir = str(folder)
    config.resume = True
    check_data_files(config, ('train', 'val'))
    kept = KeepMetrics()
    with contextlib.redirect_stdout(io.StringIO()):
        runner = build_runner(config)
        runner.register_hook(kept)
        runner.train()
        if not kept.metrics:  # killed between the last step and the validation
            runner.val()
    if metric not in kept.metrics:
        raise KeyError(f'no metric {metric!r} after validation, only {", ".join(kept.metrics)}')
    value = float(kept.metrics[metric])
    if not math.isfinite(value):
        raise ValueError(f'{metric} must be a number after validation, got {value}: {NOTHING}')
    return value
