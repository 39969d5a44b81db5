"""Norm, activation and gates by Triton's kernels, in its interpreter, against float64."""

from __future__ import annotations

import weakref

import pytest
import torch
import torch.nn.functional as F
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from effnet_dense.ops.gated_norm import Exchange, multiply, squeeze
from tests.helpers.triton_kernels import assert_within

pytestmark = pytest.mark.usefixtures('launched')

BOUNDS = {torch.float32: 2e-5, torch.bfloat16: 2e-2, torch.float16: 3e-3}
FORMATS = (torch.contiguous_format, torch.channels_last)


def gates_from(means: Tensor, kernel: Tensor) -> Tensor:
    return F.conv2d(means.to(kernel.dtype), kernel[:, :, None, None]).sigmoid()


def parameters(channels: int) -> tuple[nn.BatchNorm2d, Tensor]:
    """A norm, and the kernel that computes gates (C, C)."""
    torch.manual_seed(channels)
    norm = nn.BatchNorm2d(channels, eps=1e-3, momentum=0.03)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.uniform_(norm.bias, -0.5, 0.5)
    return norm, 4 * torch.randn(channels, channels) / channels**0.5


def by_kernels(x: Tensor, gradient: Tensor, act: str, owned: bool = False) -> list[Tensor]:
    """The output, the gradients of x, weight, bias and kernel, and the running statistics."""
    norm, kernel = parameters(x.shape[1])
    x, kernel, exchange = x.detach().requires_grad_(), kernel.requires_grad_(), Exchange()
    own = norm.weight, norm.bias
    handle, means, *batch = squeeze(x, *own, norm, act, exchange, owned)
    assert handle.untyped_storage().nbytes() == x.element_size()
    gates = gates_from(means, kernel).to(x.dtype)
    out = multiply(x, handle, gates, *batch, *own, act, exchange=exchange)
    found = torch.autograd.grad(out, [x, *own, kernel], gradient)
    return [out, *found, *norm.buffers()]


def in_double(x: Tensor, gradient: Tensor, act: str) -> list[Tensor]:
    norm, kernel = parameters(x.shape[1])
    norm, x = norm.double(), x.double().requires_grad_()
    kernel = kernel.double().requires_grad_()
    activated = dict(silu=F.silu, relu=F.relu, relu6=F.relu6)[act](norm(x))
    out = activated * gates_from(activated.mean((2, 3), keepdim=True), kernel)
    found = torch.autograd.grad(out, [x, norm.weight, norm.bias, kernel], gradient.double())
    return [out, *found, *norm.buffers()]


def assert_close(found: list[Tensor], right: list[Tensor], dtype: torch.dtype) -> None:
    assert_within(found, right, BOUNDS[dtype])


@given(
    st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 9), st.integers(2, 9)),
    st.sampled_from([*BOUNDS]),
    st.sampled_from(FORMATS),
    st.sampled_from(['silu', 'relu', 'relu6']),
    st.booleans(),
)
@settings(max_examples=15, phases=[Phase.generate])  # shrinking takes minutes
def test_against_double_precision(
    shape: tuple[int, ...], dtype: torch.dtype, memory_format: torch.memory_format, act: str,
    owned: bool,
) -> None:  # fmt: skip
    torch.manual_seed(0)
    x, gradient = (
        torch.randn(shape).to(dtype).contiguous(memory_format=memory_format) for _ in range(2)
    )
    right = in_double(x, gradient, act)
    assert_close(by_kernels(x, gradient, act, owned), right, dtype)


def test_gates_without_gradient() -> None:
    """What follows from the means adds nothing if the gates are constant."""
    x, gradient = torch.randn(2, 2, 8, 5, 4).unbind()
    norm, twin = nn.BatchNorm2d(8), nn.BatchNorm2d(8)
    exchange, own = Exchange(), (norm.weight, norm.bias)
    x.requires_grad_()
    handle, _, *batch = squeeze(x, *own, norm, 'silu', exchange, False)
    gates = torch.rand(2, 8, 1, 1)
    out = multiply(x, handle, gates, *batch, *own, 'silu', exchange=exchange)
    found = torch.autograd.grad(out, [x, *own], gradient)
    right = torch.autograd.grad(F.silu(twin(x)) * gates, [x, twin.weight, twin.bias], gradient)
    assert_close([*found], [*right], torch.float32)


def test_the_backward_pass_twice(launched: list[str]) -> None:
    x, exchange, norm = torch.randn(2, 8, 5, 4, requires_grad=True), Exchange(), nn.BatchNorm2d(8)
    own = norm.weight, norm.bias
    handle, means, *batch = squeeze(x, *own, norm, 'silu', exchange, False)
    out = multiply(x, handle, means.sigmoid(), *batch, *own, 'silu', exchange=exchange)
    gradient = torch.randn_like(out)
    first = torch.autograd.grad(out, [x, *own], gradient, retain_graph=True)
    launched.clear()
    second = torch.autograd.grad(out, [x, *own], 2 * gradient)
    assert launched == ['gradient_sums', 'input_gradient']  # one pass each
    assert_close([*second], [2 * value for value in first], torch.float32)


def test_nothing_stays_after_the_backward_pass() -> None:
    x, exchange, norm = torch.randn(2, 8, 5, 4, requires_grad=True), Exchange(), nn.BatchNorm2d(8)
    own, kept = (norm.weight, norm.bias), weakref.ref(exchange)
    handle, means, *batch = squeeze(2 * x, *own, norm, 'silu', exchange, False)
    out = multiply(2 * x, handle, means.sigmoid(), *batch, *own, 'silu', exchange=exchange)
    out.sum().backward()
    del handle, means, batch, out, exchange
    assert kept() is None
