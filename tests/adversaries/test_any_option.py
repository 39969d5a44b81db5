"""Any value of any key of a config: one line before the first step, or a training to its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from effnet_dense.engine.config import load_config
from tests.helpers.tiny import as_arguments, narrow_retinanet, options
from tests.helpers.tool import call

FINETUNE = 'effnet_lite0_retinanet_finetune'
ROOTS = ('model', 'train_dataloader', 'val_dataloader', 'optim_wrapper', 'param_scheduler')
ROOTS += ('train_cfg', 'val_evaluator', 'default_hooks', 'env_cfg', 'randomness', 'visualizer')
VALUES: tuple[Any, ...] = (None, True, -1, 0, 1, 2.5, 1e30, float('nan'), float('inf'), 10**20)
VALUES += (
    [[0.5, 1], [2]],
    [-1, -1, -1],
    'nope',
    4,
    '',
    'x',
    'auto',
    '../x',
    [],
    [1],
    [1, 'a'],
    [[1, 2]],
    {},
    {'type': 'x'},
    {'a': 1},
)
# Large numbers where they mean work or memory are no fault: they are what was asked for.
COUNTS = ('num_workers', 'batch_size', 'max_epochs', 'stacked_convs', 'channels', 'prefetch_factor')
LARGE = (1e30, 10**20)


def keys(node: Any, name: str) -> Iterator[str]:
    """Yield the dotted keys of a config's values, and of what holds them."""
    yield name
    if isinstance(node, dict):
        for key, value in node.items():
            yield from keys(value, f'{name}.{key}')
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from keys(value, f'{name}.{index}')


CONFIG = load_config(FINETUNE)
KEYS = [key for root in ROOTS if root in CONFIG for key in keys(CONFIG[root], root)]
# Keys that the config leaves at their defaults.
KEYS += [
    f'{loop}_dataloader.{key}'
    for loop in ('train', 'val')
    for key in (
        'prefetch_factor',
        'multiprocessing_context',
        'timeout',
        'pin_memory',
        'dataset.indices',
    )
]
KEYS += ['model.backbone._delete_', 'optim_wrapper.accumulative_counts', 'env_cfg.dist_cfg']
KEYS += ['model.test_cfg.nms.method', 'model.test_cfg.nms.max_num', 'custom_hooks', 'load_from']


@pytest.mark.slow
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(key=st.sampled_from(KEYS), value=st.sampled_from(VALUES))
def test_one_line_or_a_training(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_data: Path,
    capsys: pytest.CaptureFixture[str],
    key: str,
    value: Any,
) -> None:
    if value in LARGE and key.rpartition('.')[2].endswith(COUNTS):
        return
    work_dir = tmp_path_factory.mktemp('work')
    small = as_arguments({**options(), **narrow_retinanet(), key: value})
    status = call('train', FINETUNE, '--data', tiny_data, '--work-dir', work_dir, *small)
    shown = capsys.readouterr().err
    assert 'Traceback' not in shown
    assert status in (0, 2)
    if status == 2:
        line = shown.partition('error: ')[2].strip()
        assert len(line.split()) >= 3, line
