"""Which kind of data set a config takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmdet.datasets import CocoDataset
from mmengine.config import Config, ConfigDict
from mmseg.datasets import ADE20KDataset

from effnet_dense.data import make_demo, use_data
from effnet_dense.data.config_walk import is_segmentation
from effnet_dense.data.demo.scenes import SHAPES


@pytest.mark.parametrize(
    ('scope', 'kind', 'expected'),
    [
        ('mmseg', 'BaseSegDataset', True),
        ('mmdet', 'CocoDataset', False),
        ('mmdet', 'mmseg.BaseSegDataset', True),
        (None, 'mmseg.BaseSegDataset', True),
        (None, 'effnet_dense.LabelMapDataset', True),
        (None, ADE20KDataset, True),
        (None, 'mmdet.CocoDataset', False),
        (None, CocoDataset, False),
        (None, 'CocoDataset', False),
    ],
)
def test_kinds_of_configs(scope: str | None, kind: Any, expected: bool) -> None:
    dataset = {'type': 'RepeatDataset', 'dataset': {'type': kind}}
    cfg = Config(dict(train_dataloader=dict(dataset=dataset), val_dataloader=None))
    if scope is not None:
        cfg.default_scope = scope
    assert is_segmentation(cfg) is expected


def test_demo_has_label_maps_and_boxes(tmp_path: Path) -> None:
    """Both kinds of configs take it; drawn small here, `use_data` would draw 250 pictures."""
    folder = make_demo(tmp_path / 'demo', train=2, val=1)
    pipeline = [{'type': 'LoadAnnotations'}]
    dataset = ConfigDict(type='BaseSegDataset', pipeline=pipeline)
    loader = {'dataset': dataset}
    model = {'decode_head': {'num_classes': 2}}
    cfg = Config(dict(default_scope='mmseg', train_dataloader=loader, model=model))
    assert use_data(cfg, folder).classes == ('background', *SHAPES)
    assert cfg.model.decode_head.num_classes == 7
    loader = {'dataset': {'type': 'CocoDataset', 'pipeline': pipeline}}
    model = {'bbox_head': {'num_classes': 80}}
    cfg = Config(dict(default_scope='mmdet', train_dataloader=loader, model=model))
    assert use_data(cfg, folder).classes == tuple(SHAPES)
    assert cfg.model.bbox_head.num_classes == 6
