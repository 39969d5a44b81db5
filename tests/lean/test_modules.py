"""The exchange of plain and lean classes."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

from effnet_dense import lean
from effnet_dense.lean.modules import Lean, lean_class
from effnet_dense.models import BiFPN, EfficientNet
from effnet_dense.models.bifpn import BiFPNNode
from effnet_dense.models.blocks import FusedMBConv, MBConv
from effnet_dense.models.layers import ConvNormAct
from effnet_dense.scaling import BlockRow

TINY = dict(base='b0', width=0.25, depth=0.3)


def conv(*args, **kwargs) -> ConvNormAct:
    return ConvNormAct(*args, norm_cfg=dict(type='BN'), **kwargs)


def block(cls: type[MBConv] = MBConv) -> MBConv:
    torch.manual_seed(0)
    row = BlockRow('mbconv', 3, 1, 4, 8, 1, 0.25)
    return cls(8, row, 1, make_conv=conv, act_cfg=dict(type='SiLU', inplace=True)).train()


def gradients(module: nn.Module) -> list[Tensor]:
    x = torch.randn(2, 8, 8, 8, generator=torch.Generator().manual_seed(1), requires_grad=True)
    return list(torch.autograd.grad(module(x).square().sum(), (x, *module.parameters())))


def assert_equal(found: list[Tensor], expected: list[Tensor]) -> None:
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


class Doubled(MBConv):
    """A user's subclass, which calls its base."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def test_a_network_built_plainly_becomes_lean_and_plain_again() -> None:
    model = EfficientNet(TINY, lean=0)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    names = [name for name, _ in model.named_modules()]
    count = sum(isinstance(m, MBConv | FusedMBConv) for m in model.modules())
    assert lean.apply(model, 2) == count + 1  # and the stem
    assert model.lean == 2
    assert type(model.layers[0]) is lean_class(ConvNormAct)
    assert {type(layer[0]) for layer in model.layers[1:]} == {lean_class(MBConv)}
    # Convolutions inside of a block belong to its chain.
    assert type(model.layers[1][0].linear_conv) is ConvNormAct
    lean.remove(model)
    assert model.lean == 0
    assert type(model.layers[0]) is ConvNormAct
    assert {type(layer[0]) for layer in model.layers[1:]} == {MBConv}
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert [name for name, _ in model.named_modules()] == names


def test_every_part_of_a_detector() -> None:
    detector = nn.ModuleDict(dict(backbone=EfficientNet(TINY), neck=BiFPN((16, 32), 8)))
    assert lean.apply(detector, 2) > 0
    levels = {m.lean for m in detector.modules() if hasattr(m, 'lean')}
    assert levels == {2}
    nodes = [
        m for m in detector['neck'].modules() if isinstance(m, BiFPNNode) and isinstance(m, Lean)
    ]
    assert len(nodes) == 3 * 8
    assert detector['neck'].lean == detector['backbone'].lean == 2


def test_modules_of_others_are_left_alone() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    assert lean.apply(model, 1) == 0
    assert [type(m) for m in model] == [nn.Conv2d, nn.BatchNorm2d]


@pytest.mark.parametrize('level', [-1, 3, True, None])
def test_unknown_levels(level: object) -> None:
    model = block()
    with pytest.raises(ValueError, match=rf'lean must be one of \(0, 1, 2\), got {level}'):
        lean.apply(model, level)
    assert type(model) is MBConv


def test_a_subclass_keeps_its_own_forward() -> None:
    plain, leanly = block(Doubled), block(Doubled)
    lean.apply(plain, 0)
    lean.apply(leanly, 1)
    assert isinstance(leanly, Doubled)
    assert type(leanly).__name__ == 'LeanDoubled'
    assert_equal(gradients(leanly), gradients(plain))
    doubled, single = block(Doubled), block()
    x = torch.randn(1, 8, 4, 4)
    for module in (doubled, single):
        lean.apply(module, 1)
    torch.testing.assert_close(doubled(x), 2 * single(x))
    lean.remove(leanly)
    assert type(leanly) is Doubled


@pytest.mark.parametrize('cls', [MBConv, Doubled])
@pytest.mark.parametrize('duplicate', [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_lean_too(cls: type[MBConv], duplicate) -> None:
    model = block(cls)
    lean.apply(model, 2)
    twin = duplicate(model)
    assert type(twin) is type(model)
    assert twin.lean == 2
    assert_equal(gradients(twin), gradients(model))
