"""Deployed MBConvs have one operator up to their projection, and torch's where it cannot be."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from effnet_dense.deployment import deploy, fused_mbconv
from effnet_dense.deployment.fused_mbconv import FusedDepthwise
from effnet_dense.models import EfficientNet
from effnet_dense.models.blocks import MBConv
from effnet_dense.models.layers import ConvNormAct
from effnet_dense.ops import fused_depthwise, native
from effnet_dense.scaling import BASES
from tests.helpers import peers

SAME = dict(rtol=1e-5, atol=1e-5)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """With what the operator was called."""
    found = []

    def spy(*args: Any) -> Any:
        found.append(args)
        return fused_depthwise.fused_depthwise(*args)

    monkeypatch.setattr(fused_mbconv, 'fused_depthwise', spy)
    return found


def backbone(**options: Any) -> EfficientNet:
    """A narrow one; its third layer has 24 input channels, its sixth 96, more than `NARROW`."""
    arch = dict(base='b0', width=0.5, depth=0.3)
    return peers.randomise_(EfficientNet(arch, out_indices=(6,), **options)).eval()


def image(*shape: int) -> Tensor:
    return torch.randn(shape or (2, 3, 65, 48), generator=torch.Generator().manual_seed(1))


def fused_parts(model: nn.Module) -> list[FusedDepthwise]:
    return [module for module in model.modules() if isinstance(module, FusedDepthwise)]


def check(deployed: nn.Module, model: nn.Module, x: Tensor) -> None:
    with torch.no_grad():
        for found, expected in zip(deployed(x), model(x), strict=True):
            torch.testing.assert_close(found, expected, **SAME)


@pytest.mark.parametrize('base', BASES)
@pytest.mark.compiler
def test_every_mbconv_with_silu(base: str) -> None:
    model = EfficientNet(dict(base=base, width=0.5, depth=0.3))
    acts = [m.depthwise_conv.act for m in model.modules() if isinstance(m, MBConv)]
    assert len(fused_parts(deploy(model))) == sum(isinstance(act, nn.SiLU) for act in acts)


@pytest.mark.compiler
def test_wide_and_narrow_expansions(calls: list[Any]) -> None:
    model = peers.randomise_(EfficientNet('b0', out_indices=(6,))).eval()
    deployed = deploy(model)
    check(deployed, model, image())
    narrow = [args for args in calls if args[1]]
    assert len(calls) == 16
    assert {args[0].shape[1] for args in narrow} == {16, 24, 40}  # the first block has none
    assert {args[0].shape[1] for args in calls if not args[1]} == {32, 480, 672, 1152}


@pytest.mark.parametrize(
    'options',
    [dict(padding='symmetric'), dict(norm_cfg=dict(type='SyncBN', eps=1e-3)), dict()],
    ids=str,
)
@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
@pytest.mark.compiler
def test_options(options: dict[str, Any], memory_format: Any, calls: list[Any]) -> None:
    model = backbone(**options)
    deployed = deploy(model)
    for size in ((2, 3, 65, 48), (1, 3, 32, 32), (2, 3, 65, 48)):
        check(deployed, model, image(*size).contiguous(memory_format=memory_format))
    assert len(calls) == 3 * len(fused_parts(deployed)) > 0


@pytest.mark.compiler
def test_other_weights_are_grouped_again(monkeypatch: pytest.MonkeyPatch) -> None:
    grouped = []

    def spy(parameter: Tensor) -> Tensor:
        grouped.append(parameter)
        return fused_depthwise.grouped(parameter)

    monkeypatch.setattr(fused_mbconv, 'grouped', spy)
    model = backbone()
    deployed = deploy(model)
    check(deployed, model, image())
    count = len(grouped)
    check(deployed, model, image())
    assert len(grouped) == count > 0
    other = peers.randomise_(backbone(), seed=5).eval()
    deployed.load_state_dict(deploy(other).state_dict())
    check(deployed, other, image())
    assert len(grouped) == 2 * count


def test_torchs_own_elsewhere(calls: list[Any]) -> None:
    model = backbone()
    deployed = deploy(model)
    x = image().requires_grad_()
    gradients = [torch.autograd.grad(m(x)[0].square().sum(), x)[0] for m in (deployed, model)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4 * float(gradients[1].abs().max()))
    with torch.no_grad():
        with torch.autocast('cpu', torch.bfloat16):
            assert deployed(image())[0].dtype == torch.bfloat16
        traced = torch.jit.trace(deployed, image(), check_trace=False)
        assert 'fused_depthwise' not in str(traced.inlined_graph)
        check(copy.deepcopy(deployed).double(), copy.deepcopy(model).double(), image().double())
        assert deployed(image(0, 3, 32, 32))[0].shape == (0, 640, 1, 1)
    assert not calls


def test_copies_and_files(calls: list[Any]) -> None:
    model = backbone()
    deployed = deploy(model)
    check(deployed, model, image())
    check(copy.deepcopy(deployed), model, image())
    again = deploy(deployed)
    assert len(fused_parts(again)) == len(fused_parts(deployed))
    check(again, model, image())
    file = io.BytesIO()
    torch.save(deployed, file)
    file.seek(0)
    check(torch.load(file, weights_only=False), model, image())
    assert len(calls) == 4 * len(fused_parts(deployed))


@pytest.mark.parametrize('name', ['depthwise_conv', 'depthwise_conv.act', 'expand_conv'])
@pytest.mark.compiler
def test_what_is_waited_for_stays(name: str) -> None:
    model = backbone()
    seen = []
    model.layers[2][0].get_submodule(name).register_forward_hook(lambda *_: seen.append(1))
    deployed = deploy(model)
    assert len(fused_parts(deployed)) == len(fused_parts(deploy(backbone()))) - 1
    check(deployed, model, image())
    assert len(seen) == 2


@pytest.mark.parametrize('name', ['se', 'se.conv1', 'se.conv2.conv', 'se.conv1.act'])
@pytest.mark.compiler
def test_an_attention_that_is_waited_for(name: str, calls: list[Any]) -> None:
    model = backbone()
    seen = []
    model.layers[2][0].get_submodule(name).register_forward_hook(lambda *_: seen.append(1))
    deployed = deploy(model)
    check(deployed, model, image())
    assert len(seen) == 2
    joined = len(fused_parts(deploy(backbone()))) - (name != 'se.conv1.act')
    assert len(calls) == len(fused_parts(deployed)) == joined


@pytest.mark.compiler
def test_an_attention_of_another_kind(calls: list[Any]) -> None:
    model = backbone()
    model.layers[2][0].se.conv1.act = nn.ReLU()
    deployed = deploy(model)
    check(deployed, model, image())
    assert len(calls) == len(fused_parts(deployed))


@pytest.mark.compiler
def test_a_subclass_may_run_its_parts_otherwise() -> None:
    class ActFirst(ConvNormAct):
        def forward(self, x: Tensor) -> Tensor:
            return self.conv(self.act(x))

    model = backbone()
    model.layers[1][0].depthwise_conv.__class__ = ActFirst
    deployed = deploy(model)
    assert len(fused_parts(deployed)) == len(fused_parts(deploy(backbone()))) - 1
    check(deployed, model, image())


def test_without_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, 'is_compiled', lambda source: False)
    model = backbone()
    deployed = deploy(model)
    assert not fused_parts(deployed)
    check(deployed, model, image())
