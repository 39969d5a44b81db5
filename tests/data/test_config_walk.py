"""Datasets and metrics in configs, and the library that a config is for."""

from __future__ import annotations

from typing import Any

import pytest
from mmdet.datasets import CocoDataset
from mmengine.config import Config
from mmseg.datasets import ADE20KDataset

from effnet_dense.data.config_walk import (
    is_segmentation,
    keep_first,
    leaf_datasets,
    loop_datasets,
    loops_of,
    metrics_of,
    type_name,
)


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


def nested() -> dict[str, Any]:
    parts = [{'type': 'A'}, {'type': 'RepeatDataset', 'dataset': {'type': 'B'}}]
    return {'type': 'Wrapper', 'dataset': {'type': 'ConcatDataset', 'datasets': parts}}


def test_datasets_inside_wrappers() -> None:
    assert [dataset['type'] for dataset in leaf_datasets(nested())] == ['A', 'B']
    dataset = nested()
    keep_first(dataset)
    assert [leaf['type'] for leaf in leaf_datasets(dataset)] == ['A']


def test_datasets_of_loops() -> None:
    cfg = Config(dict(train_dataloader=dict(dataset=nested()), val_dataloader=None))
    assert [len(loop_datasets(cfg, loop)) for loop in ('train', 'val', 'test')] == [2, 0, 0]
    assert loops_of(['val']) == ['val', 'test']
    assert loops_of(('val', 'train')) == ['train', 'val', 'test']


def test_metrics_inside_evaluators() -> None:
    one, two = {'type': 'CocoMetric'}, {'type': 'IoUMetric'}
    assert metrics_of(None) == []
    assert metrics_of(one) == [one]
    assert metrics_of([one, {'type': 'Evaluator', 'metrics': (two,)}]) == [one, two]


def test_type_names() -> None:
    kinds = ('CocoDataset', 'mmdet.CocoDataset', CocoDataset)
    assert {type_name({'type': kind}) for kind in kinds} == {'CocoDataset'}
    assert type_name({}) == ''
