"""`--freeze`: layers that are not trained, in what was built."""

from __future__ import annotations

from pathlib import Path

import mmdet
import pytest
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch.nn.modules.batchnorm import _BatchNorm

from effnet_dense.engine.config import load_config
from effnet_dense.engine.settings.freeze import set_freeze
from effnet_dense.settings import Settings

NAME = 'effnet_lite0_retinanet_finetune'
STOCK = Path(mmdet.__file__).parent / '.mim' / 'configs'


def stock(path: str) -> Config:
    return Config.fromfile(STOCK / path)


@pytest.mark.parametrize('count', [0, 2, 6])
def test_layers_of_an_efficientnet(count: int) -> None:
    config = load_config(NAME)
    config.model.backbone.norm_eval = False
    set_freeze(config, count)
    init_default_scope('mmdet')
    backbone = MODELS.build(config.model.backbone).train()
    trained = [any(p.requires_grad for p in layer.parameters()) for layer in backbone.layers]
    assert trained == [index >= count for index in range(6)]
    norms = [module for module in backbone.modules() if isinstance(module, _BatchNorm)]
    assert {norm.training for norm in norms} == {count == 0}


@pytest.mark.parametrize(('count', 'trained'), [(0, 5), (1, 4), (3, 2), (5, 0)])
def test_stages_of_a_resnet(count: int, trained: int) -> None:
    config = stock('retinanet/retinanet_r18_fpn_1x_coco.py')
    set_freeze(config, count)
    init_default_scope('mmdet')
    backbone = MODELS.build(config.model.backbone)
    backbone.train()
    parts = [backbone.conv1, *(getattr(backbone, f'layer{i}') for i in range(1, 5))]
    assert sum(any(p.requires_grad for p in part.parameters()) for part in parts) == trained


@pytest.mark.parametrize(
    ('config', 'layers'),
    [
        (NAME, 6),
        ('retinanet/retinanet_r50_fpn_1x_coco.py', 5),
        ('pascal_voc/faster-rcnn_r50-caffe-c4_ms-18k_voc0712.py', 4),
        ('yolox/yolox_s_8xb8-300e_coco.py', 5),
        ('swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py', 5),
    ],
)
def test_more_layers_than_there_are(config: str, layers: int) -> None:
    loaded = load_config(config) if config == NAME else stock(config)
    with pytest.raises(ValueError, match=f'has {layers} layers .* from 0 to {layers}'):
        set_freeze(loaded, 8)


def test_backbones_that_cannot_be_frozen_in_part() -> None:
    with pytest.raises(ValueError, match='HourglassNet has no frozen_stages'):
        set_freeze(stock('cornernet/cornernet_hourglass104_8xb6-210e-mstest_coco.py'), 2)


def test_random_weights_are_not_frozen() -> None:
    with pytest.raises(ValueError, match='--freeze 2: the backbone starts from random weights'):
        load_config(NAME, settings=Settings(weights='none', freeze=2))
