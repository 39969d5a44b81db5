"""Which configs the inference functions adapt, and to what."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from effnet_dense.inference.openmmlab import adapted, inference_pipeline, is_ours
from tests.helpers.tiny_models import CLASSES, detector, saved

STOCK = dict(
    model=dict(type='RetinaNet', backbone=dict(type='ResNet'), bbox_head=dict(num_classes=80)),
    test_dataloader=dict(dataset=dict(pipeline=[dict(type='LoadImageFromFile')])),
)


def test_other_configs_are_unchanged(tmp_path: Path) -> None:
    config = Config(STOCK)
    checkpoint = tmp_path / 'a.pth'
    torch.save(dict(meta=dict(dataset_meta=dict(classes=['a'])), state_dict={}), checkpoint)
    assert not is_ours(config)
    assert adapted(config, str(checkpoint), None) is config
    assert inference_pipeline(config) is None


def test_heads_and_names_are_the_checkpoints(tmp_path: Path) -> None:
    config = detector()
    options = {'model.test_cfg.max_per_img': 7}
    found = adapted(config, str(saved(config, tmp_path / 'a.pth')), options)
    assert isinstance(found, Config)
    assert found.model.bbox_head.num_classes == 3
    assert found.model.test_cfg.max_per_img == 7
    assert tuple(found.test_dataloader.dataset.metainfo.classes) == CLASSES
    assert config.model.bbox_head.num_classes == 80, 'the given config changed'


@pytest.mark.parametrize('classes', [None, []])
def test_a_checkpoint_without_classes(tmp_path: Path, classes: object) -> None:
    meta = {} if classes is None else dict(dataset_meta=dict(classes=None))
    torch.save(dict(meta=meta, state_dict={}), tmp_path / 'a.pth')
    found = adapted(detector(), str(tmp_path / 'a.pth'), None)
    assert isinstance(found, Config) and found.model.bbox_head.num_classes == 80
