"""The parts of a config that a runner builds, with their keys and classes."""

from __future__ import annotations

from typing import Any

import pytest
from mmengine.hooks import EMAHook
from mmengine.registry import HOOKS
from mmengine.runner import LogProcessor, TestLoop, ValLoop

from effnet_dense.engine.checks.config_parts import Parts, find_class, numbered

PIPELINE = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
DATASET = dict(type='RepeatDataset', dataset=dict(type='CocoDataset', pipeline=PIPELINE))
CONFIG: dict[str, Any] = dict(
    default_scope='mmdet',
    default_hooks=dict(checkpoint=dict(type='CheckpointHook'), timer=None),
    custom_hooks=[dict(type='EMAHook', priority=49), EMAHook],
    param_scheduler=dict(a=[dict(type='LinearLR')], b=dict(type='ConstantLR')),
    train_dataloader=dict(dataset=DATASET, sampler=dict(type='DefaultSampler', shuffle=True)),
    val_evaluator=[
        dict(type='CocoMetric'),
        dict(type='MultiDatasetsEvaluator', metrics=[dict(type='VOCMetric')]),
    ],
    val_cfg=dict(),
    test_cfg=dict(),
    visualizer=dict(type='absent.Visualizer'),
    log_processor=dict(window_size=5),
    optim_wrapper=dict(optimizer=dict(type='SGD', lr=1)),
)


def test_all_parts() -> None:
    found = {part.key: part for part in Parts(CONFIG)}
    names = {key: getattr(part.cls, '__name__', None) for key, part in found.items()}
    assert names == {
        'default_hooks.checkpoint': 'CheckpointHook',
        'custom_hooks.0': 'EMAHook',
        'param_scheduler.a.0': 'LinearLR',
        'param_scheduler.b': 'ConstantLR',
        'train_dataloader.sampler': 'DefaultSampler',
        'train_dataloader.dataset': 'RepeatDataset',
        'train_dataloader.dataset.dataset': 'CocoDataset',
        'train_dataloader.dataset.dataset.pipeline.0': 'LoadImageFromFile',
        'train_dataloader.dataset.dataset.pipeline.1': 'LoadAnnotations',
        'val_evaluator.0': 'CocoMetric',
        'val_evaluator.1': 'MultiDatasetsEvaluator',
        'val_evaluator.1.metrics.0': 'VOCMetric',
        'val_cfg': 'ValLoop',
        'test_cfg': 'TestLoop',
        'visualizer': None,
        'log_processor': 'LogProcessor',
        'optim_wrapper': 'OptimWrapper',
        'optim_wrapper.optimizer': 'SGD',
    }
    assert found['val_cfg'].cls is ValLoop and found['test_cfg'].cls is TestLoop
    assert found['log_processor'].cls is LogProcessor
    assert found['custom_hooks.0'].more == {'priority'}


def test_an_own_constructor_reads_its_own_keys() -> None:
    config = dict(CONFIG, optim_wrapper=dict(constructor='X', anything=1))
    assert not [part for part in Parts(config) if part.key.startswith('optim_wrapper')]
    assert list(Parts({})) == []


@pytest.mark.parametrize(
    ('kind', 'scope', 'name'),
    [
        ('EMAHook', 'mmengine', 'EMAHook'),
        ('effnet_dense.SkipBadHook', 'mmdet', 'SkipBadHook'),
        ('nothing.EMAHook', 'mmengine', None),
        ('NoHook', 'mmengine', None),
        (EMAHook, None, 'EMAHook'),
    ],
)
def test_classes_by_name(kind: Any, scope: str | None, name: str | None) -> None:
    assert getattr(find_class(kind, HOOKS, scope), '__name__', None) == name


def test_keys_of_lists_and_of_dictionaries_without_type() -> None:
    one, two = dict(type='A'), dict(type='B')
    assert list(numbered('k', one)) == [('k', one)]
    assert list(numbered('k', [one, two])) == [('k.0', one), ('k.1', two)]
    assert list(numbered('k', dict(a=[one], b=two))) == [('k.a.0', one), ('k.b', two)]
    assert list(numbered('k', None)) == []
