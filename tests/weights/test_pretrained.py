"""The initialiser, in every place where a config may have it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.model import BaseModule, initialize
from mmengine.registry import MODELS, WEIGHT_INITIALIZERS
from torch import nn

import effnet_dense
from effnet_dense.hub import create_classifier
from effnet_dense.models import EfficientNet
from effnet_dense.weights import Pretrained, export_weights


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, EfficientNet]:
    """A file with timm's names, and the backbone in it."""
    path = tmp_path_factory.mktemp('weights') / 'timm.pth'
    model = create_classifier('b0')
    torch.save(export_weights(model, 'timm'), path)
    return str(path), model.backbone


def assert_loaded(backbone: EfficientNet, original: EfficientNet) -> None:
    expected = original.state_dict()
    for key, tensor in backbone.state_dict().items():
        assert torch.equal(tensor, expected[key]), key


def test_it_is_registered() -> None:
    assert WEIGHT_INITIALIZERS.get('effnet_dense.Pretrained') is Pretrained
    assert effnet_dense.Pretrained is Pretrained
    # mmengine's own is still registered under its name.
    assert WEIGHT_INITIALIZERS.get('Pretrained') is not Pretrained


@pytest.mark.parametrize('type_', ['Pretrained', 'effnet_dense.Pretrained'])
@pytest.mark.parametrize('as_list', [False, True])
def test_init_cfg_of_a_backbone(
    checkpoint: tuple[str, EfficientNet], type_: str, as_list: bool
) -> None:
    path, original = checkpoint
    init_cfg: object = dict(type=type_, checkpoint=path)
    if as_list:
        init_cfg = [init_cfg, dict(type='Kaiming', layer='Conv2d')]
    backbone = MODELS.build(dict(type='effnet_dense.EfficientNet', init_cfg=init_cfg))
    backbone.init_weights()
    assert_loaded(backbone, original)


def test_mmdets_prefix(tmp_path: Path) -> None:
    """mmpretrain's releases, as mmdet's configs load them."""
    path = tmp_path / 'mmpretrain.pth'
    original = create_classifier('b0')
    torch.save({'state_dict': export_weights(original, 'mmpretrain')}, path)
    init_cfg = dict(type='Pretrained', prefix='backbone', checkpoint=str(path))
    backbone = EfficientNet('b0', init_cfg=init_cfg)
    backbone.init_weights()
    assert_loaded(backbone, original.backbone)


class Head(BaseModule):
    def __init__(self) -> None:
        super().__init__(init_cfg=dict(type='Constant', layer='Conv2d', val=3.0))
        self.conv = nn.Conv2d(4, 4, 1)


class Detector(BaseModule):
    def __init__(self, init_cfg: dict[str, str]) -> None:
        super().__init__(init_cfg=init_cfg)
        kaiming = dict(type='Kaiming', layer='Conv2d')
        self.backbone = EfficientNet('b0', init_cfg=kaiming)
        self.head = Head()


def test_init_cfg_of_a_complete_model(checkpoint: tuple[str, EfficientNet]) -> None:
    """mmengine initialises the children afterwards; loaded weights must not change."""
    path, original = checkpoint
    model = Detector(dict(type='effnet_dense.Pretrained', checkpoint=path))
    model.init_weights()
    assert_loaded(model.backbone, original)
    assert (model.head.conv.weight == 3).all()


def test_mmengines_initialize(checkpoint: tuple[str, EfficientNet]) -> None:
    path, original = checkpoint
    backbone = EfficientNet('b0')
    initialize(backbone, dict(type='effnet_dense.Pretrained', checkpoint=path, map_location='cpu'))
    assert_loaded(backbone, original)


def test_errors_propagate(tmp_path: Path) -> None:
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'absent.pth'))
    with pytest.raises(FileNotFoundError, match=r'absent\.pth'):
        EfficientNet('b0', init_cfg=init_cfg).init_weights()
