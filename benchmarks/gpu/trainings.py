"""Short trainings of shipped configs, without evaluation and ImageNet's weights."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from typing import Any

from mmengine.config import Config

from benchmarks.gpu.conditions import Conditions
from effnet_dense.data.demo import make_demo
from effnet_dense.engine.config import load_config
from effnet_dense.engine.jobs import train
from effnet_dense.settings import Settings

DETECTOR = 'efficientdet_d0_coco'
TINY = dict(base='b0', width=0.25, depth=0.3)
SMALL = {
    'model.backbone.arch': {**TINY, '_delete_': True},
    'model.neck.in_channels': [16, 32, 80],
    'model.neck.num_cells': 1,
    'model.bbox_head.stacked_convs': 1,
}
"""In a dry run."""


@dataclass(frozen=True)
class Training:
    """A training.

    Args:
        name: Unique in a part.
        config: A shipped config.
        steps: Its length.
        batch: Images per step.
        precision: 'fp32', 'fp16' or 'bf16'.
        options: Keys of the config.
        processes: Whether to train as one process of DDP, with SyncBN.
        settings: More of `effnet_dense.settings.Settings`.
    """

    name: str
    config: str = DETECTOR
    steps: int = 100
    batch: int = 16
    precision: str = 'bf16'
    options: dict[str, Any] = field(default_factory=dict)
    processes: bool = False
    settings: dict[str, Any] = field(default_factory=dict)

    def folder(self, conditions: Conditions) -> Path:
        """Return its work folder."""
        return conditions.out / 'runs' / conditions.started / re.sub(r'\W+', '_', self.name)

    def images(self, conditions: Conditions) -> int:
        """Return its images per step under these conditions."""
        return conditions.pick(self.batch, 2)


def config_of(training: Training, conditions: Conditions) -> Config:
    """Return the config, with its data."""
    tiny = {'image_size': (128, 128)} if conditions.dry else {}
    settings = Settings(
        iterations=conditions.pick(training.steps, 4),
        batch_size=training.images(conditions),
        weights='none',
        workers=conditions.pick(min(8, os.cpu_count() or 1), 0),
        precision=training.precision,
        device=conditions.device,
        **tiny,  # type: ignore[arg-type]
        **training.settings,
    )
    data = conditions.data or make_demo(
        conditions.out / 'demo', **conditions.pick({}, {'train': 8, 'val': 1})
    )
    options = {'report': False, 'channels_last': True, 'default_hooks.logger.interval': 1}
    if conditions.dry and training.config == DETECTOR:
        options |= SMALL
    folder = training.folder(conditions)
    config = load_config(
        training.config,
        data=str(data),
        work_dir=str(folder),
        settings=settings,
        options=options | training.options,
    )
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.default_hooks.checkpoint.interval = 10**6
    if training.processes:
        config.launcher = 'pytorch'
    return config


def run_training(training: Training, conditions: Conditions) -> None:
    """Train, in a process of its own."""
    if training.processes:
        os.environ.update(_one_process())
    train(config_of(training, conditions), resume=None)


def _one_process() -> dict[str, str]:
    """Return the variables by which torchrun tells a process about the others."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    alone = {'RANK': 0, 'LOCAL_RANK': 0, 'WORLD_SIZE': 1, 'LOCAL_WORLD_SIZE': 1}
    return {
        **{key: str(value) for key, value in alone.items()},
        'MASTER_ADDR': '127.0.0.1',
        'MASTER_PORT': str(port),
    }


def read_log(folder: Path) -> list[dict[str, float]]:
    """Return what the training logged, one entry per step."""
    files = sorted(folder.glob('*/vis_data/scalars.json'))
    lines = files[-1].read_text(encoding='utf-8').splitlines() if files else []
    return [entry for entry in map(json.loads, lines) if 'loss' in entry]


def summary(entries: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Return the columns of a training: losses of its first and last quarter, speed, memory."""
    if not entries:
        return {'steps': 0}
    quarter = max(len(entries) // 4, 1)
    first = mean(entry['loss'] for entry in entries[:quarter])
    last = mean(entry['loss'] for entry in entries[-quarter:])
    settled = entries[len(entries) // 2 :]
    return {
        'steps': len(entries),
        'first loss': first,
        'last loss': last,
        'falls': 'yes' if last < first else 'no',
        'ms/step': 1e3 * median(entry['time'] for entry in settled),
        'of it data': 1e3 * median(entry['data_time'] for entry in settled),
        'MiB': max((entry.get('memory') or 0 for entry in entries), default=0) or None,
    }
