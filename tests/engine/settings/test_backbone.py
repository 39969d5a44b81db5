"""`--backbone`: what was built has the channels, the normalisation and the strides it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mmdet
import mmseg
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from effnet_dense.engine.checks.channels import check_channels
from effnet_dense.engine.config import load_config, shipped_configs
from effnet_dense.engine.settings.backbone import set_backbone
from effnet_dense.models import EfficientNet
from effnet_dense.scaling import FAMILIES, architecture
from effnet_dense.settings import Settings
from effnet_dense.weights import check_normalisation
from effnet_dense.weights.sources import source_info
from effnet_dense.weights.zoo import IMAGENET_WEIGHTS
from tests.helpers.tiers import slow_except

STOCK = {
    name: Path(package.__file__).parent / '.mim' / 'configs'
    for name, package in (('mmdet', mmdet), ('mmseg', mmseg))
}
RETINANET = 'mmdet/retinanet/retinanet_r50_fpn_1x_coco.py'
PSPNET = 'mmseg/pspnet/pspnet_r50-d8_4xb4-80k_ade20k-512x512.py'
SWAPPED = (
    RETINANET,
    'mmdet/mask_rcnn/mask-rcnn_r50-caffe_fpn_1x_coco.py',
    'mmdet/detr/detr_r50_8xb2-150e_coco.py',
    'mmdet/yolof/yolof_r50-c5_8xb8-1x_coco.py',
    'mmdet/maskformer/maskformer_r50_ms-16xb1-75e_coco.py',
    'mmdet/soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py',
    PSPNET,
    'mmseg/deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py',
    'mmseg/sem_fpn/fpn_r50_4xb2-80k_cityscapes-512x1024.py',
    'mmseg/upernet/upernet_r50_4xb4-80k_ade20k-512x512.py',
    'mmseg/ocrnet/ocrnet_r101-d8_4xb2-40k_cityscapes-512x1024.py',
    'mmseg/knet/knet-s3_r50-d8_upernet_8xb2-adamw-80k_ade20k-512x512.py',
)


def stock(path: str) -> Config:
    library, _, rest = path.partition('/')
    return Config.fromfile(STOCK[library] / rest)


def without_weights(node: Any) -> None:
    """Drop all initial weights, which would be downloaded."""
    if isinstance(node, dict):
        if 'init_cfg' in node:
            node['init_cfg'] = None
        for child in node.values():
            without_weights(child)
    elif isinstance(node, list | tuple):
        for child in node:
            without_weights(child)


def built(config: Config) -> torch.nn.Module:
    init_default_scope(config.get('default_scope', 'mmdet'))
    without_weights(config.model)
    model = MODELS.build(config.model)
    return getattr(model, 'detector', model) or model


@pytest.mark.parametrize('path', slow_except(SWAPPED, RETINANET))
def test_a_resnet_becomes_an_efficientnet(path: str) -> None:
    config = stock(path)
    set_backbone(config, 'b0')
    check_normalisation(config)  # mean, std and channel order of the weights
    assert 'effnet_dense' in config.custom_imports['imports']
    model = built(config)
    model = getattr(model, 'student', model).eval()
    backbone = model.backbone
    assert isinstance(backbone, EfficientNet)
    check_channels(model)
    images = torch.zeros(1, 3, 64, 64)
    with torch.no_grad():
        if path.startswith('mmseg'):
            assert model(images, mode='tensor') is not None
        else:
            assert len(model.extract_feat(images))


@pytest.mark.parametrize('name', slow_except(shipped_configs(), 'effnet_lite0_retinanet_finetune'))
def test_shipped_configs_take_any_network(name: str) -> None:
    config = load_config(name, settings=Settings(backbone='v2_s'))
    check_normalisation(config)
    backbone = config.model.backbone
    channels = [architecture('v2_s').channels()[i] for i in backbone.get('out_indices', (3, 4, 5))]
    assert backbone.arch == 'v2_s'
    assert backbone.init_cfg.checkpoint == 'timm://tf_efficientnetv2_s.in21k_ft_in1k'
    assert config.model.data_preprocessor.mean == [127.5] * 3
    if config.model.get('neck'):
        assert list(config.model.neck.in_channels) == channels
    else:
        head = config.model.get('decode_head') or config.model.panoptic_head
        assert head.in_channels in (channels, channels[-1])


def test_what_is_built_has_the_channels() -> None:
    config = load_config('effnet_lite0_retinanet_finetune', settings=Settings(backbone='b3'))
    assert config.model.backbone.drop_path_rate == 0.2  # Lite0 has none, as B0
    assert config.model.data_preprocessor.mean == [123.675, 116.28, 103.53]
    model = built(config)
    check_channels(model)
    assert model.backbone.architecture.name == 'b3'
    assert model.backbone.norm_eval


def test_stages_and_strides_follow_the_resnet() -> None:
    config = stock(PSPNET)
    set_backbone(config, 'lite2')
    backbone = config.model.backbone
    assert (backbone.out_indices, backbone.output_stride) == ((2, 3, 4, 5), 8)
    assert backbone.norm_cfg == dict(type='SyncBN', requires_grad=True, eps=1e-3, momentum=0.01)
    assert config.model.get('pretrained') is None
    assert config.model.decode_head.in_channels == architecture('lite2').channels()[5]
    config = stock(RETINANET)
    set_backbone(config, 'b0')
    assert config.model.backbone.frozen_stages == 3  # stem and layers 1, 2: up to stride 4
    assert config.model.backbone.norm_eval


def test_weights_of_a_complete_model_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    config = load_config('effnet_lite0_retinanet_finetune')
    config.load_from = 'detector.pth'
    set_backbone(config, 'b0')
    assert config.load_from is None
    assert 'load_from=detector.pth of the config is left out' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('path', 'message'),
    [
        ('mmdet/faster_rcnn/faster-rcnn_r50-caffe_c4-1x_coco.py', 'has 3 stages .* with an FPN'),
        ('mmdet/faster_rcnn/faster-rcnn_r50-caffe-dc5_1x_coco.py', 'no neck.* with an FPN'),
        ('mmdet/dcn/faster-rcnn_r50-dconv-c3-c5_fpn_1x_coco.py', 'deformable convolutions'),
        ('mmdet/gcnet/mask-rcnn_r50-gcb-r4-c3-c5_fpn_1x_coco.py', 'plugins'),
        ('mmdet/yolox/yolox_s_8xb8-300e_coco.py', 'has a CSPDarknet'),
        ('mmdet/tridentnet/tridentnet_r50-caffe_1x_coco.py', 'has a TridentResNet'),
        ('mmseg/segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py', 'MixVisionTransformer'),
    ],
)
def test_what_needs_another_backbone(path: str, message: str) -> None:
    with pytest.raises(ValueError, match=f'--backbone b0.*{message}'):
        set_backbone(stock(path), 'b0')


def test_an_unknown_name_has_the_nearest() -> None:
    with pytest.raises(ValueError, match="no network 'efficientnet-b33'; the nearest: b3"):
        set_backbone(load_config('effnet_lite0_retinanet_finetune'), 'efficientnet-b33')


def test_all_networks_have_weights() -> None:
    assert set(IMAGENET_WEIGHTS) == set(FAMILIES)
    for source in IMAGENET_WEIGHTS.values():
        info = source_info(source)
        assert info is not None
        assert (info.padding, info.bn_eps) == ('same', 1e-3)
