"""Load and export: the peer's own state dict, key for key."""

from __future__ import annotations

import pytest
import torch
from mmengine.model import BaseModule
from torch import nn

from effnet_dense.hub import create_classifier
from effnet_dense.models import EfficientNet
from effnet_dense.weights import export_weights, load_weights
from tests.helpers import peers

SMALLEST = [
    *[('timm', arch) for arch in ('b0', 'lite0', 'es', 'v2_s', 'v2_b0')],
    *[('torchvision', 'b0'), ('torchvision', 'v2_s')],
    *[('efficientnet_pytorch', 'b0'), ('efficientnet_pytorch', 'b1')],
]


def assert_same(actual: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert actual.keys() == expected.keys()
    wrong = [key for key, tensor in expected.items() if not torch.equal(actual[key], tensor)]
    assert not wrong


@pytest.mark.slow
@pytest.mark.parametrize(('peer', 'arch'), SMALLEST)
def test_classifier_round_trip(peer: str, arch: str) -> None:
    original = peers.randomise_(peers.build_peer(peer, arch)).state_dict()
    ours = create_classifier(arch)
    report = load_weights(ours, original)
    assert (report.format, report.missing, report.unexpected) == (peer, (), ())
    assert_same(export_weights(ours, peer), original)


def test_mmdet() -> None:
    original = peers.randomise_(peers.build_peer('mmdet', 'b0')).state_dict()
    ours = EfficientNet('b0', out_indices=(6,))
    assert load_weights(ours, original).format == 'mmdet'
    assert_same(export_weights(ours, 'mmdet'), original)


@pytest.mark.slow
def test_effdet_backbone() -> None:
    original = peers.randomise_(peers.build_peer('effdet', 'b0')).state_dict()
    ours = EfficientNet('b0', out_indices=(5,))
    assert load_weights(ours, original).format == 'effdet'
    backbone = {key: v for key, v in original.items() if key.startswith('backbone.')}
    assert_same(export_weights(ours, 'effdet'), backbone)


@pytest.mark.parametrize('arch', ['b0', 'v2_s', 'v2_m'])
def test_mmpretrain(arch: str) -> None:
    ours, again = create_classifier(arch), create_classifier(arch)
    exported = export_weights(ours, 'mmpretrain')
    report = load_weights(again, exported)
    assert report.format == ('mmdet' if arch == 'b0' else 'mmpretrain')
    assert not report.missing
    assert_same(again.state_dict(), ours.state_dict())


def test_only_built_layers_are_exported() -> None:
    original = peers.build_peer('timm', 'b0').state_dict()
    ours = EfficientNet('b0', out_indices=(2,))
    load_weights(ours, original)
    exported = export_weights(ours, 'timm')
    assert_same(exported, {key: original[key] for key in exported})
    assert {key.split('.')[1] for key in exported if key.startswith('blocks')} == {'0', '1'}


class Detector(BaseModule):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = EfficientNet('b0')
        self.neck = nn.Conv2d(3, 3, 1)


def test_only_the_backbone_of_a_detector_is_exported() -> None:
    model = Detector()
    assert export_weights(model, 'timm').keys() == export_weights(model.backbone, 'timm').keys()
    assert export_weights(model, 'mmdet').keys() == model.state_dict().keys()


def test_export_errors() -> None:
    with pytest.raises(ValueError, match='expected a model with an EfficientNet, got Linear'):
        export_weights(nn.Linear(1, 1), 'timm')
    with pytest.raises(ValueError, match=r"format must be one of .*got 'jax'"):
        export_weights(EfficientNet('b0'), 'jax')
    with pytest.raises(ValueError, match="torchvision has no network like 'lite0'"):
        export_weights(EfficientNet('lite0'), 'torchvision')
    groups = EfficientNet('b0', norm_cfg=dict(type='GN', num_groups=2))
    with pytest.raises(ValueError, match=r'timm has no name for .*gn'):
        export_weights(groups, 'timm')
