"""Every config of docs/own-config.md is read, and what it changes is built."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import HOOKS, MODELS, TRANSFORMS, VISUALIZERS, init_default_scope
from mmengine.structures import InstanceData

from effnet_dense.engine.checks.channels import check_channels
from effnet_dense.engine.config import load_config, shipped_configs
from tests.helpers import documents

CONFIGS = documents.blocks(documents.ROOT / 'docs' / 'own-config.md', 'python')
BASE = 'effnet_lite0_retinanet_finetune'


def changed_by(config: Config) -> set[str]:
    """The top-level entries that differ from the inherited config's."""
    base = load_config(BASE)
    return {key for key in config if key != 'work_dir' and config[key] != base.get(key)}


def check_model(config: Config) -> None:
    """Build the model, and compute its losses for an image with one object."""
    config.model.backbone.init_cfg = None
    model = MODELS.build(config.model)
    check_channels(model)
    sample = DetDataSample(metainfo=dict(img_shape=(64, 64), pad_shape=(64, 64)))
    boxes = torch.tensor([[8.0, 8.0, 40.0, 40.0]])
    sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.tensor([0]))
    batch = dict(inputs=[torch.zeros(3, 64, 64, dtype=torch.uint8)], data_samples=[sample])
    losses = model(**model.data_preprocessor(batch, training=True), mode='loss')
    total, _ = model.parse_losses(losses)
    assert torch.isfinite(total)


@pytest.mark.parametrize('code', CONFIGS)
def test_own_configs(code: str, tmp_path: Path) -> None:
    path = tmp_path / 'my_config.py'
    path.write_text(code, encoding='utf-8')
    config = load_config(path)
    init_default_scope('mmdet')
    changed = changed_by(config)
    if 'model' in changed:
        check_model(config)
    if 'train_dataloader' in changed:
        assert [TRANSFORMS.build(step) for step in config.train_dataloader.dataset.pipeline]
    if 'custom_hooks' in changed:
        assert [HOOKS.build(hook) for hook in config.custom_hooks]
    if 'visualizer' in changed:
        folder = dict(save_dir=str(tmp_path), name=path.stem)
        backends = VISUALIZERS.build({**config.visualizer, **folder})._vis_backends
        assert list(backends) == ['LocalVisBackend', 'TensorboardVisBackend']
    assert changed & {'model', 'train_dataloader', 'custom_hooks', 'visualizer'}


def test_all_parts_are_shown() -> None:
    text = ''.join(CONFIGS)
    for word in ('neck=', 'bbox_head=', 'train_pipeline', 'custom_hooks', 'vis_backends'):
        assert word in text
    assert BASE in shipped_configs()
