"""Batch norm and activation by Triton's kernels, in its interpreter, against float64."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from effnet_dense.ops import triton_norm
from effnet_dense.ops import triton_norm_operators as operators
from effnet_dense.ops.depthwise import Padding
from effnet_dense.ops.triton_norm import (
    is_available,
    is_installed,
    norm_act_in_training,
    supports,
)
from effnet_dense.ops.triton_norm_operators import padded_shape
from tests.helpers.triton_kernels import assert_within

pytestmark = pytest.mark.usefixtures('launched')

ACTS = dict(none=lambda x: x, relu=F.relu, relu6=F.relu6, silu=F.silu)
FORMATS = (torch.contiguous_format, torch.channels_last)
# Relative to the largest value: the rounding of results, and of sums in float32.
BOUNDS = {torch.float32: 2e-5, torch.bfloat16: 8e-3, torch.float16: 2e-3}


class Case(NamedTuple):
    shape: tuple[int, int, int, int]
    dtype: torch.dtype
    format: Any
    act: str
    padding: Padding | None
    gradient: str  # how its output's gradient lies in memory
    sizes: tuple[int, int]  # TILE and PROGRAMS


CASES = st.builds(
    Case,
    st.tuples(st.integers(1, 3), st.integers(1, 24), st.integers(1, 9), st.integers(2, 9)),
    st.sampled_from([*BOUNDS]),
    st.sampled_from(FORMATS),
    st.sampled_from([*ACTS]),
    st.sampled_from([None, None, ((0, 1), (0, 1)), ((1, 2), (0, 0)), ((2, 1), (1, 2))]),
    st.sampled_from(['same', 'contiguous', 'cut', 'one value']),
    st.sampled_from([(2048, 2048), (64, 2048), (64, 3)]),
)


def draw(case: Case) -> tuple[Tensor, Tensor, nn.BatchNorm2d]:
    """A feature, its output's gradient, and a norm that has seen another batch."""
    channels = case.shape[1]
    torch.manual_seed(sum(case.shape))
    x = (3 * torch.randn(case.shape) + torch.randn(channels, 1, 1)).to(case.dtype)
    images, _, height, width = shape = padded_shape(x, case.padding)
    gradient = torch.randn(images, channels, height + 1, width + 1).to(case.dtype)
    gradient = gradient.contiguous(memory_format=case.format)[:, :, :-1, 1:]
    if case.gradient == 'same':
        gradient = gradient.contiguous(memory_format=case.format)
    elif case.gradient == 'contiguous':
        gradient = gradient.contiguous()
    elif case.gradient == 'one value':
        gradient = gradient[:1, :1, :1, :1].expand(shape)
    norm = nn.BatchNorm2d(channels, eps=1e-3, momentum=0.03)
    for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        nn.init.uniform_(tensor, 0.5, 4)  # some results are above 6
    return x.contiguous(memory_format=case.format), gradient, norm


def in_double(
    x: Tensor, gradient: Tensor, norm: nn.BatchNorm2d, act: str, padding: Padding | None = None
) -> list[Tensor]:
    """The output, the gradients of x, weight and bias, and the statistics, by PyTorch."""
    theirs = nn.BatchNorm2d(x.shape[1], norm.eps, norm.momentum).double()
    theirs.load_state_dict(norm.state_dict())
    x = x.double().requires_grad_()
    out = ACTS[act](theirs(x))
    if padding is not None:
        out = F.pad(out, (*padding[1], *padding[0]))
    found = torch.autograd.grad(out, [x, theirs.weight, theirs.bias], gradient.double())
    return [out, *found, *theirs.buffers()]


def by_kernels(
    x: Tensor, gradient: Tensor, norm: nn.BatchNorm2d, act: str, owned: bool = False,
    padding: Padding | None = None,
) -> list[Tensor]:  # fmt: skip
    x = x.detach().requires_grad_()
    out = norm_act_in_training(x, norm.weight, norm.bias, norm, act, owned, padding)[0]
    assert (out.dtype, out.stride(1) == 1) == (x.dtype, x.stride(1) == 1)
    found = torch.autograd.grad(out, [x, norm.weight, norm.bias], gradient)
    return [out, *found, *norm.buffers()]


def assert_close(found: list[Tensor], right: list[Tensor], dtype: torch.dtype) -> None:
    assert_within(found, right, BOUNDS[dtype])


@given(CASES)
@settings(max_examples=24, phases=[Phase.generate])  # shrinking takes minutes
def test_against_double_precision(case: Case) -> None:
    x, gradient, norm = draw(case)
    right = in_double(x, gradient, norm, case.act, case.padding)
    operators._plan.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operators, 'TILE', case.sizes[0])
        patch.setattr(operators, 'PROGRAMS', case.sizes[1])
        found = by_kernels(x, gradient, norm, case.act, padding=case.padding)
        assert_close(found, right, case.dtype)
    operators._plan.cache_clear()


def normal(*shape: int, seed: int = 0) -> Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return x.contiguous(memory_format=torch.channels_last)


def test_running_statistics_over_steps() -> None:
    ours, theirs = nn.BatchNorm2d(5, momentum=0.3), nn.BatchNorm2d(5, momentum=0.3)
    for step in range(3):
        x = (step + 1) * normal(2, 5, 6, 7, seed=step) - step
        by_kernels(x, x, ours, 'silu')
        theirs(x)
    assert_close([*ours.buffers()], [*theirs.buffers()], torch.float32)
    assert ours.num_batches_tracked == 3


def test_parameters_and_statistics_in_half_precision() -> None:
    x, norm = normal(2, 5, 6, 7).bfloat16(), nn.BatchNorm2d(5).bfloat16()
    found = by_kernels(x, x, norm, 'relu')
    assert {tensor.dtype for tensor in found} == {torch.bfloat16, torch.int64}
    assert_close(found, in_double(x, x, nn.BatchNorm2d(5), 'relu'), torch.bfloat16)


def test_a_mean_far_from_zero() -> None:
    """Squares of values around 1000 have no digits left for a variance of 0.01."""
    x, norm = 0.1 * normal(2, 3, 16, 16) + 1000, nn.BatchNorm2d(3)
    mean, inverse = triton_norm.statistics(x, norm)
    var = x.double().var((0, 2, 3), unbiased=False)
    torch.testing.assert_close(mean.double(), x.double().mean((0, 2, 3)))
    torch.testing.assert_close(inverse.double(), (var + norm.eps).rsqrt(), rtol=1e-4, atol=0)


@pytest.mark.parametrize('owned', [True, False])
def test_the_place_of_the_gradient(owned: bool) -> None:
    x, gradient = normal(2, 8, 5, 4), normal(2, 8, 5, 4, seed=1)
    kept = gradient.clone()
    found = by_kernels(x, gradient, nn.BatchNorm2d(8), 'silu', owned)
    assert (found[1].data_ptr() == gradient.data_ptr()) is owned
    assert torch.equal(gradient, found[1] if owned else kept)
    right = in_double(x, kept, nn.BatchNorm2d(8), 'silu')
    assert_close(found, right, torch.float32)


def test_frozen_inputs() -> None:
    x, norm = normal(2, 8, 5, 4), nn.BatchNorm2d(8)
    norm.bias.requires_grad_(False)
    out = norm_act_in_training(x, norm.weight, norm.bias, norm, 'silu', False)[0]
    (found,) = torch.autograd.grad(out.square().sum(), norm.weight)
    twin = nn.BatchNorm2d(8)
    (right,) = torch.autograd.grad(F.silu(twin(x)).square().sum(), twin.weight)
    assert_close([found], [right], torch.float32)


def test_second_derivatives_are_refused() -> None:
    x, norm = normal(2, 8, 5, 4).requires_grad_(), nn.BatchNorm2d(8)
    out = norm_act_in_training(x, norm.weight, norm.bias, norm, 'silu', False)[0]
    (first,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match='once_differentiable'):
        first.sum().backward()


def test_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight, bias = normal(2, 8, 3, 4), torch.ones(8), torch.zeros(8)
    for dtype in triton_norm.DTYPES:
        assert supports(x.to(dtype), weight, bias)
    assert supports(x.contiguous(), weight, bias)
    assert not supports(x.double(), weight, bias)
    assert not supports(x, None, None)
    assert not supports(x, weight.double(), bias)
    assert not supports(x, torch.ones(16)[::2], bias)
    assert not supports(x[:, :, ::2], weight, bias)
    assert not supports(x[0], weight, bias)
    assert not supports(normal(1, 8, 1, 1), weight, bias)  # one value per channel
    monkeypatch.setattr(triton_norm, 'SMALLEST', x.numel() + 1)
    assert not supports(x, weight, bias)
    monkeypatch.setattr(triton_norm, 'DEVICES', ('cuda',))
    monkeypatch.setattr(triton_norm, 'SMALLEST', 0)
    assert not supports(x, weight, bias)


@pytest.mark.parametrize('reason', ['raises', 'differs', 'absent'])
def test_not_used_where_they_fail(
    reason: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    original = triton_norm._run_own

    def run(norm: Any, x: Tensor) -> Tensor:
        if reason == 'raises':
            raise RuntimeError('no kernel image\nfor this device')
        return original(norm, x) * 1.001

    warnings: list[str] = []
    monkeypatch.setattr(triton_norm, 'print_log', lambda text, *_: warnings.append(text))
    if reason == 'absent':
        monkeypatch.setattr(triton_norm, 'find_spec', lambda name: None)
    else:
        monkeypatch.setattr(triton_norm, '_run_own', run)
    assert not is_available.__wrapped__(torch.device('cpu'), torch.float32)
    found = dict(raises='RuntimeError: no kernel image', differs='their results differ')
    assert len(warnings) == (reason != 'absent')
    assert all(found[reason] in text and 'torch.float32 on cpu' in text for text in warnings)


def test_a_module_that_stands_in_for_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_installed()
    monkeypatch.setitem(sys.modules, 'triton', ModuleType('triton'))
    assert not is_installed()
