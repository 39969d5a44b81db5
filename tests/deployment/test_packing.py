"""Deployed models have their activations in the convolutions before them, and no others."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from effnet_dense.deployment import deploy, fused_mbconv
from effnet_dense.deployment.packed_conv import PackedConv2d, can_pack
from effnet_dense.deployment.packing import pack
from effnet_dense.models import BiFPN, BiFPNSegHead, EfficientDetHead, EfficientNet
from effnet_dense.models.layers import ConvNormAct
from tests.helpers import peers

GROUP = dict(type='GN', num_groups=4)
ACTIVATIONS = (nn.SiLU, nn.ReLU, nn.ReLU6, nn.Hardswish, nn.Tanh)


@pytest.fixture(autouse=True)
def _without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is one, another operator does most of an MBConv."""
    monkeypatch.setattr(fused_mbconv, 'is_available', lambda: False)


def separate(model: nn.Module) -> list[str]:
    """Names of the activations that are passes of their own."""
    inside = {id(conv.act) for conv in model.modules() if isinstance(conv, PackedConv2d)}
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, ACTIVATIONS) and id(module) not in inside
    ]


def detection_head(**options: Any) -> nn.Module:
    init_default_scope('mmdet')
    return EfficientDetHead(3, 8, bbox_coder=dict(type='DeltaXYWHBBoxCoder'), **options)


@pytest.mark.parametrize('arch', ['b0', 'lite0', 'v2_b0'])
def test_backbone(arch: str) -> None:
    deployed = deploy(EfficientNet(arch))
    # Those of attention are of one pixel.
    assert all('.se.' in name for name in separate(deployed))
    assert not [module for module in deployed.modules() if can_pack(module)]


def test_detection_head() -> None:
    assert not separate(deploy(detection_head()))


def test_segmentation_head() -> None:
    init_default_scope('mmseg')
    assert not separate(deploy(BiFPNSegHead(8, 8, num_classes=3)))


def test_sums_of_bifpn_keep_theirs() -> None:
    deployed = deploy(BiFPN((8, 12, 20), 16, num_cells=1))
    assert len(separate(deployed)) == len(deployed.cells[0].nodes)


@pytest.mark.parametrize(
    'build',
    [
        lambda: EfficientNet('b0', norm_cfg=GROUP),
        lambda: detection_head(norm_cfg=GROUP),
        lambda: BiFPNSegHead(8, 8, num_classes=3, norm_cfg=GROUP),
        lambda: ConvNormAct(6, 8, norm_cfg=dict(type='BN'), act_cfg=dict(type='Tanh')),
    ],
    ids=['backbone', 'detection head', 'segmentation head', 'unknown activation'],
)
def test_where_a_norm_stays_or_the_activation_is_unknown(build: Any) -> None:
    model = build()
    found = [name for name in separate(deploy(model)) if '.se.' not in name]
    assert found == [name for name in separate(model) if '.se.' not in name] != []


def test_a_subclass_may_run_its_parts_otherwise() -> None:
    class ActFirst(ConvNormAct):
        def forward(self, x: Tensor) -> Tensor:
            return self.conv(self.act(x))

    model = peers.randomise_(ActFirst(6, 6, act_cfg=dict(type='SiLU')))
    x = torch.randn(1, 6, 5, 5)
    with torch.no_grad():
        torch.testing.assert_close(deploy(model)(x), model(x))


def test_a_subclass_with_another_loss_is_as_fast() -> None:
    class OwnLoss(EfficientDetHead):
        def loss_by_feat(self, *_: Any) -> dict[str, Tensor]:
            return {}

    init_default_scope('mmdet')
    deployed = deploy(OwnLoss(3, 8, bbox_coder=dict(type='DeltaXYWHBBoxCoder')))
    assert not separate(deployed)
    assert not [module for module in deployed.modules() if isinstance(module, nn.BatchNorm2d)]


def test_a_shared_convolution_with_two_activations() -> None:
    one, other = (ConvNormAct(6, 6, act_cfg=dict(type=name)) for name in ('SiLU', 'ReLU'))
    other.conv = one.conv
    plain = nn.Conv2d(6, 6, 1)
    model = nn.ModuleList([peers.randomise_(one), other, nn.Sequential(one.conv), plain])
    x = torch.randn(1, 6, 5, 5)
    with torch.no_grad():
        expected = [part(x) for part in model]
        pack(model)
        for part, value in zip(model, expected, strict=True):
            torch.testing.assert_close(part(x), value, rtol=1e-5, atol=1e-6)
    assert isinstance(model[3], PackedConv2d)
    assert one.conv.weight is other.conv.weight is model[2][0].weight


def test_one_shared_by_places_alike_is_shared_still() -> None:
    conv = nn.Conv2d(6, 6, 1)
    model = nn.Sequential(conv, nn.Sequential(conv))
    pack(model)
    assert model[0] is model[1][0]
