"""Each layer's gradients are autograd's, to the bit, and its input is not saved."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from effnet_dense.lean.chain import run_chain
from effnet_dense.lean.layers import step_of
from effnet_dense.models.layers import ConvNormAct, SqueezeExcite, conv2d
from tests.reference.saved_bytes import saved_bytes

SILU = dict(type='SiLU', inplace=True)
MODULES = {
    'pointwise': lambda: nn.Conv2d(6, 4, 1),
    'expansion': lambda: nn.Conv2d(6, 12, 1),
    'without bias': lambda: nn.Conv2d(6, 4, 3, 2, 1, bias=False),
    'stem': lambda: conv2d(6, 8, 3, 2),
    'depthwise': lambda: conv2d(6, 6, 5, 2, groups=6),
    'depthwise, symmetric': lambda: conv2d(6, 6, 5, 2, groups=6, padding='symmetric'),
    'dilated': lambda: conv2d(6, 6, 3, dilation=2, groups=6),
    'reflecting': lambda: nn.Conv2d(6, 6, 3, padding=1, padding_mode='reflect'),
    'padding by name': lambda: nn.Conv2d(6, 6, 3, padding='same'),
    'silu': nn.SiLU,
    'silu in place': lambda: nn.SiLU(inplace=True),
    'relu': lambda: nn.ReLU(inplace=True),
    'relu6': lambda: nn.ReLU6(inplace=True),
    'another activation': lambda: nn.Hardswish(inplace=True),
    'with a weight': lambda: nn.PReLU(6),
    'attention': lambda: SqueezeExcite(6, 2, SILU),
    'group norm': lambda: nn.GroupNorm(2, 6),
    'norm': lambda: nn.BatchNorm2d(6),
    'frozen norm': lambda: nn.BatchNorm2d(6),
}


class Row(nn.ModuleList):
    """A chain at a level of lean training."""

    level = 0

    def forward(self, x: Tensor) -> Tensor:
        return run_chain(self.level, self, x)


def row(name: str) -> Row:
    """A module between two convolutions, the first of which has a norm with SiLU."""
    torch.manual_seed(0)
    before = ConvNormAct(6, 6, norm_cfg=dict(type='BN'), act_cfg=SILU)
    middle = MODULES[name]()
    with torch.no_grad():
        channels = middle(torch.zeros(2, 6, 8, 7)).shape[1]
    found = Row([before, middle, nn.Conv2d(channels, 3, 1)]).train()
    if name == 'frozen norm':  # the row is in training, this norm's own layer is not
        found[1] = ConvNormAct(6, 6, norm_cfg=dict(type='BN'))
        found[1].norm.eval()
    return found


def example(memory_format: torch.memory_format = torch.contiguous_format) -> Tensor:
    # Beyond 6 as well, and with zeros, where ReLU's slope is decided.
    x = 4 * torch.randn(2, 6, 8, 7, generator=torch.Generator().manual_seed(0))
    return x.masked_fill(x.abs() < 0.2, 0.0).contiguous(memory_format=memory_format)


def results(chain: Row, x: Tensor, autocast: bool) -> list[Tensor | None]:
    """The output, the gradients of the input and of all parameters, and the statistics."""
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    with torch.autocast('cpu', torch.bfloat16, autocast):
        y = chain(x)
    generator = torch.Generator().manual_seed(1)
    y.backward(torch.randn(y.shape, generator=generator).to(y.dtype))
    return [y, x.grad, *(p.grad for p in chain.parameters()), *chain.buffers()]


@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize('autocast', [False, True])
@pytest.mark.parametrize('level', [1, 2])
@pytest.mark.parametrize('name', MODULES)
def test_gradients(name: str, level: int, autocast: bool, memory_format: Any) -> None:
    plain = row(name).to(memory_format=memory_format)
    leanly, x = copy.deepcopy(plain), example(memory_format)
    leanly.level = level
    for own, right in zip(results(leanly, x, autocast), results(plain, x, autocast), strict=True):
        assert (own is None) == (right is None)
        assert own is None or (own.dtype == right.dtype and torch.equal(own, right))


@pytest.mark.parametrize(
    ('name', 'maps'),
    # Of 6 channels: the norm's input, and what the module adds; a convolution its own input's.
    [('silu', 1), ('relu6', 1), ('another activation', 1), ('pointwise', 1), ('attention', 1)],
)
def test_what_is_saved(name: str, maps: int) -> None:
    chain, x = row(name), torch.randn(2, 6, 32, 32)
    chain.level = 1
    saved = max(saved_bytes(chain, x)) / (2 * 6 * 32 * 32 * 4)
    # And the output of the module, if it is a convolution: 4 of 6 channels.
    assert saved == pytest.approx(maps + (4 / 6 if name == 'pointwise' else 0), abs=0.01)


def test_autocasts_copies_are_not_saved() -> None:
    """A norm of a feature in float32 returns float32, which the convolution after it casts."""
    chain = Row([nn.BatchNorm2d(6), nn.SiLU(), nn.Conv2d(6, 6, 1), nn.Conv2d(6, 6, 1)])
    chain.level = 1
    x = torch.randn(2, 6, 32, 32, requires_grad=True)
    with torch.autocast('cpu', torch.bfloat16):
        _, alive = saved_bytes(chain, x)
    # The first convolution's output in bfloat16, and the statistics.
    assert alive == 2 * 6 * 32 * 32 * 2 + 2 * 6 * 4


def test_what_could_be_noticed_runs_plainly() -> None:
    def hooked(module: nn.Module, inner: str = '') -> nn.Module:
        module.get_submodule(inner).register_forward_hook(lambda *_: None)
        return module

    replica = nn.Conv2d(1, 1, 1)
    replica._is_replica = True
    others = [
        *(nn.Dropout2d(), nn.RReLU(), replica, hooked(nn.SiLU())),
        *(hooked(SqueezeExcite(6, 2, SILU), 'conv1.act'), nn.Sequential(nn.BatchNorm2d(3))),
        *(nn.BatchNorm2d(3, momentum=None), type('Other', (nn.BatchNorm2d,), {})(3)),
        nn.SyncBatchNorm(3, track_running_stats=False),
    ]
    type(others[-2]).forward = lambda self, x: x
    assert [step_of(module) for module in others] == [None] * len(others)
    assert all(step_of(build()) for build in MODULES.values())


def test_what_was_changed_is_called() -> None:
    """A subclass, or an instance with another `forward`, may compute something else."""

    class Doubled(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    act = nn.SiLU()
    act.forward = torch.sin
    conv = Doubled(6, 6, 1)
    x = example()
    found = run_chain(1, nn.ModuleList([act, conv]), x)
    assert torch.equal(found, 2 * nn.functional.conv2d(x.sin(), conv.weight, conv.bias))


@pytest.mark.parametrize('level', [1, 2])
@pytest.mark.parametrize('condition', ['torch.compiler.is_compiling', 'torch.jit.is_tracing'])
def test_where_nothing_is_recomputed(condition: str, level: int, monkeypatch: Any) -> None:
    chain, x = row('silu'), torch.randn(2, 6, 32, 32)
    chain.level = level
    leanly = max(saved_bytes(chain, x))
    assert max(saved_bytes(copy.deepcopy(chain).requires_grad_(False), x)) == 0
    monkeypatch.setattr(condition, lambda: True)
    assert max(saved_bytes(chain, x)) > 2 * leanly


@pytest.mark.parametrize('level', [0, 1])
def test_other_layers_keep_the_parameters_of_the_forward_pass(level: int) -> None:
    chain = Row([nn.Conv2d(6, 6, 1), nn.GroupNorm(2, 6), nn.SiLU(), nn.Conv2d(6, 6, 1)])
    x = torch.randn(2, 6, 8, 8)
    own = {name: p.detach() + torch.randn_like(p) for name, p in chain.named_parameters()}
    gradients = []
    for lean in (0, level):
        chain.level = lean
        given = {name: value.clone().requires_grad_() for name, value in own.items()}
        functional_call(chain, given, (x,)).square().sum().backward()
        gradients.append([value.grad for value in given.values()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_a_changed_bias_of_another_layer_is_noticed() -> None:
    norm = nn.GroupNorm(2, 6)
    chain = Row([nn.Conv2d(6, 6, 1), norm, nn.SiLU(), nn.Conv2d(6, 6, 1)])
    chain.level = 1
    out = chain(torch.randn(2, 6, 8, 8))
    with torch.no_grad():
        norm.bias.add_(1)
    with pytest.raises(RuntimeError, match='changed in place'):
        out.sum().backward()
