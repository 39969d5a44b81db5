"""Sizes as lists, which is all that YAML, JSON and people write, become the tuples that run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from effnet_dense.engine.config import load_config
from effnet_dense.engine.runner import Runner
from effnet_dense.engine.size_tuples import use_size_tuples
from tests.helpers.tiny import narrow_retinanet, options, write_data
from tests.helpers.tiny_models import DETECTOR


@pytest.mark.parametrize(
    ('key', 'value', 'expected'),
    [
        ('scale', [64, 32], (64, 32)),
        ('scale', [[64, 32], [96, 48]], [(64, 32), (96, 48)]),
        ('crop_size', [0.5, 0.5], (0.5, 0.5)),
        ('scales', [[64, 32]], [(64, 32)]),
        ('scales', [480, 512], [480, 512]),
        ('scale', [1, 2, 3], [1, 2, 3]),
        ('scale', (64, 32), (64, 32)),
        ('ratio_range', [0.5, 2.0], [0.5, 2.0]),
        ('scale', ['a', 'b'], ['a', 'b']),
        ('size', None, None),
        ('pad_val', [114, 114, 114], (114, 114, 114)),
        ('pad_val', [0.5] * 5, (0.5,) * 5),
        ('pad_val', 0, 0),
    ],
)
def test_pairs_under_size_keys_become_tuples(key: str, value: Any, expected: Any) -> None:
    config = Config({'pipeline': [{'type': 'Resize', key: value}]})
    use_size_tuples(config)
    found = config.pipeline[0][key]
    assert found == expected and type(found) is type(expected)


def test_colours_within_a_dict_become_tuples() -> None:
    step = {'type': 'Pad', 'pad_val': {'img': [114, 114, 114], 'seg': 255}}
    config = Config({'pipeline': [step]})
    use_size_tuples(config)
    assert config.pipeline[0].pad_val == {'img': (114, 114, 114), 'seg': 255}


def test_options_may_be_lists() -> None:
    config = load_config(DETECTOR, options={'test_dataloader.dataset.pipeline.1.scale': [64, 64]})
    assert config.test_dataloader.dataset.pipeline[1].scale == (64, 64)


@pytest.mark.slow
def test_a_shipped_config_as_json_trains(tmp_path: Path) -> None:
    data = write_data(tmp_path / 'data')
    values = {**options(), **narrow_retinanet(), 'train_cfg.val_interval': 1}
    config = load_config(DETECTOR, data=data, options=values)
    content = {**json.loads(json.dumps(config.to_dict())), 'work_dir': str(tmp_path / 'work')}
    content.pop('custom_imports', None)
    path = tmp_path / 'plain.json'
    path.write_text(json.dumps(content), encoding='utf-8')
    init_default_scope('mmdet')
    Runner.from_cfg(load_config(path)).train()
    assert (tmp_path / 'work' / 'epoch_1.pth').is_file()
