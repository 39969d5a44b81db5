"""Classes and colours of checkpoints and configs."""

from __future__ import annotations

from typing import Any

import pytest

from effnet_dense.data.palette import palette
from effnet_dense.engine.config import load_config
from effnet_dense.inference.meta import checkpoint_meta, config_meta


def test_classes_of_the_config() -> None:
    config = load_config('effnet_lite0_retinanet_finetune')
    assert config_meta(config)['classes'][:2] == ('person', 'bicycle')
    config.test_dataloader.dataset.metainfo = dict(classes=('only',))
    assert config_meta(config) == {'classes': ('only',), 'palette': [(220, 20, 60)]}
    for loader in ('test_dataloader', 'val_dataloader'):
        config.pop(loader)
    with pytest.raises(ValueError, match='no test_dataloader'):
        config_meta(config)


@pytest.mark.parametrize(
    ('checkpoint', 'classes'),
    [
        ({'meta': {'dataset_meta': {'classes': ['a', 'b']}}}, ('a', 'b')),
        ({'meta': {'CLASSES': ('a',)}}, ('a',)),  # before mmdet 3 and mmseg 1
        ({'meta': {'dataset_meta': {'classes': 'a'}}}, ('a',)),
    ],
)
def test_classes_of_the_checkpoint(checkpoint: Any, classes: tuple[str, ...]) -> None:
    expected = {'classes': classes, 'palette': palette(len(classes))}
    assert checkpoint_meta(checkpoint, 'x.pth') == expected


@pytest.mark.parametrize(
    ('colours', 'kept'),
    [
        ([(1, 2, 3), [4, 5, 6], (7, 8, 9)], True),
        ([(1, 2, 3)], False),  # too few
        ([(1, 2, 3), (4, 5, 256)], False),
        ('random', False),
        (None, False),
    ],
)
def test_colours_are_those_of_the_checkpoint_if_they_are_sound(colours: Any, kept: bool) -> None:
    meta = {'classes': ['a', 'b'], 'palette': colours}
    found = checkpoint_meta({'meta': {'dataset_meta': meta}}, 'x.pth')
    assert found is not None
    assert found['palette'] == ([(1, 2, 3), (4, 5, 6)] if kept else palette(2))


def test_checkpoints_without_classes() -> None:
    for checkpoint in ({}, [], {'meta': None}, {'meta': {}}, {'meta': {'dataset_meta': {}}}):
        assert checkpoint_meta(checkpoint, 'x.pth') is None
    with pytest.raises(ValueError, match=r"x\.pth: expected a dict as 'dataset_meta', got 3"):
        checkpoint_meta({'meta': {'dataset_meta': 3}}, 'x.pth')
    with pytest.raises(ValueError, match=r"names of classes as 'classes', got \[1\]"):
        checkpoint_meta({'meta': {'dataset_meta': {'classes': [1]}}}, 'x.pth')
