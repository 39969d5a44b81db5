"""Batch norm and SiLU as one operator have the bits of torch's two."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, library, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from effnet_dense.lean.chain import run_chain
from effnet_dense.ops import fused_norm, native
from effnet_dense.ops.batch_norm import apply_statistics
from effnet_dense.ops.fused_norm import is_available, norm_silu, norm_silu_backward, supports

EPS = 1e-3
Parts = tuple[Tensor, Tensor, Tensor, Tensor]  # mean, 1 ÷ σ, weight, bias


@pytest.fixture
def available() -> None:
    if not is_available():
        pytest.skip('no C++ compiler, or torch rounds in another way on this processor')


@pytest.mark.compiler
@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ('AVX2', 'AVX512'), reason='another processor'
)
def test_available() -> None:
    assert is_available()


def draw(*shape: int, seed: int = 0) -> Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return x.contiguous(memory_format=torch.channels_last) if len(shape) == 4 else x


def example(*shape: int) -> tuple[Tensor, Tensor, Parts]:
    """A feature, its output's gradient and the norm's parameters; the statistics are its own."""
    x, weight, bias = 4 * draw(*shape) + 1, 3 * draw(shape[1], seed=1), draw(shape[1], seed=2)
    _, mean, inverse = torch.native_batch_norm(x, weight, bias, None, None, True, 0.1, EPS)
    return x, draw(*shape, seed=3), (mean, inverse, weight, bias)


def by_torch(x: Tensor, gradient: Tensor, parts: Parts) -> tuple[Tensor, ...]:
    """The output, and the gradients of the feature, the weight and the bias."""
    mean, inverse, weight, bias = parts
    normed = apply_statistics(x, weight, bias, mean, inverse)
    to_normed = torch.ops.aten.silu_backward(gradient, normed)
    return F.silu(normed), *torch.ops.aten.native_batch_norm_backward(
        to_normed, x, weight, None, None, mean, inverse, True, EPS, [True, True, True]
    )


def assert_equal(found: Any, right: Any) -> None:
    for a, b in zip(found, right, strict=True):
        assert a.shape == b.shape
        assert torch.equal(a, b)


def check(x: Tensor, gradient: Tensor, parts: Parts) -> None:
    right = by_torch(x, gradient, parts)
    to_x = torch.empty_like(x)
    found = norm_silu(x, *parts), to_x, *norm_silu_backward(gradient, x, *parts, to_x)
    assert_equal(found, right)
    # In the place of the output's gradient.
    found = gradient, *norm_silu_backward(gradient, x, *parts, gradient)
    assert_equal(found, right[1:])


# Sizes at which threads' shares end inside of a vector, of a pixel, and inside of neither; above
# 32768 elements torch has several.
SHAPES = [(2, 32, 8, 8), (1, 8, 3, 5), (2, 24, 37, 29), (1, 8, 150, 151), (1, 40, 99, 13)]
SHAPES += [(3, 136, 17, 19), (2, 96, 32, 32)]


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('threads', [1, 2, 3, 5])
@pytest.mark.usefixtures('available')
def test_bits_of_torch(threads: int, shape: tuple[int, ...]) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        check(*example(*shape))
    finally:
        torch.set_num_threads(before)


@pytest.mark.usefixtures('available')
def test_numbers_of_every_size() -> None:
    """Every 4099th float32, with and without a sign, and where exp has no finite value."""
    z = torch.arange(-(2**31), 2**31, 4099)[: 2**20 - 2**11].to(torch.int32).view(torch.float32)
    z[:8] = torch.tensor([0.0, -0.0, torch.inf, -torch.inf, 88.8, -88.8, 104.0, -104.0])
    x = z.view(1, 1, -1, 32).permute(0, 3, 1, 2)
    zero, one = torch.zeros(32), torch.ones(32)
    found, right = norm_silu(x, zero, one, one, zero), F.silu(x)
    assert torch.equal(found.isnan(), right.isnan())
    assert torch.equal(found.nan_to_num(), right.nan_to_num())


@pytest.mark.usefixtures('available')
def test_gradients_of_large_numbers() -> None:
    x, gradient, (mean, inverse, weight, bias) = example(2, 16, 40, 41)
    check(x, gradient, (mean, inverse, 60 * weight, bias))


@pytest.mark.usefixtures('available')
def test_what_fits() -> None:
    x, weight, bias = example(2, 8, 3, 4)[0], torch.ones(8), torch.zeros(8)
    assert supports(x, weight, bias)
    assert not supports(x, None, None)
    assert not supports(x.contiguous(), weight, bias)
    assert not supports(x.bfloat16(), weight, bias)
    assert not supports(x, weight.double(), bias.double())
    assert not supports(x, torch.ones(16)[::2], bias)
    assert not supports(x, weight, torch.zeros(1).expand(8))
    assert not supports(x[:, :, ::2], weight, bias)
    assert not supports(x[..., 0].contiguous(), weight, bias)
    assert not supports(x.to('meta'), weight.to('meta'), bias.to('meta'))
    # Fewer channels than torch's shortest vector has; one value per channel; and what is
    # contiguous as well.
    assert not supports(draw(2, 12, 3, 4), torch.ones(12), torch.zeros(12))
    assert not supports(draw(1, 8, 1, 1), weight, bias)
    assert not supports(draw(2, 8, 1, 1), weight, bias)


@pytest.mark.usefixtures('available')
def test_not_available_where_bits_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_norm, 'norm_silu', lambda *args: norm_silu(*args) * (1 + 1e-7))
    assert not is_available.__wrapped__()


@pytest.mark.usefixtures('available')
def test_asked_for_the_first_time_among_fake_tensors() -> None:
    is_available.cache_clear()
    with FakeTensorMode():
        weight, bias = torch.ones(8), torch.zeros(8)
        x = torch.empty(2, 8, 4, 4).contiguous(memory_format=torch.channels_last)
        assert supports(x, weight, bias)
        out = norm_silu(x, bias, weight, weight, bias)
        assert norm_silu_backward(out, x, bias, weight, weight, bias, out)[0].shape == (8,)
    assert out.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.usefixtures('available')
def test_registered_as_torch_wants_it() -> None:
    x, gradient, parts = example(2, 8, 5, 4)
    library.opcheck(torch.ops.effnet_dense.norm_silu.default, (x, *parts))
    backward = torch.ops.effnet_dense.norm_silu_backward.default
    library.opcheck(backward, (gradient, x, *parts, torch.zeros_like(x)))


def test_what_does_not_fit_is_refused() -> None:
    x, gradient, (mean, *rest) = example(2, 8, 5, 4)
    with pytest.raises(ValueError, match=r'features \(2, 8, 5, 4\) in float32 and channels-last'):
        norm_silu(x.contiguous(), mean, *rest)
    with pytest.raises(ValueError, match=r'got \(2, 8, 4, 4\)'):
        norm_silu_backward(gradient, x[:, :, :4], mean, *rest, gradient)
    with pytest.raises(ValueError, match=r'parameters \(8,\) in float32, got \(7,\)'):
        norm_silu(x, mean[:7], *rest)
    with pytest.raises(ValueError, match=r'got \(8,\) in torch\.float64'):
        norm_silu(x, mean.double(), *rest)
    with pytest.raises(ValueError, match=r'with strides \(2,\)'):
        norm_silu(x, torch.zeros(16)[::2], *rest)


def modules(*after: nn.Module) -> nn.Sequential:
    norm = nn.BatchNorm2d(16, eps=EPS)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    return nn.Sequential(norm, nn.SiLU(inplace=True), *after)


def gradients(row: nn.Sequential, x: Tensor, gradient: Tensor, lean: bool) -> list[Tensor | None]:
    """The output, the gradients of the feature and of all parameters, and the statistics."""
    row[0].reset_running_stats()
    x = x.clone().requires_grad_()
    out = run_chain(1, row, x) if lean else row(x * 1)
    wanted = [parameter for parameter in row.parameters() if parameter.requires_grad]
    return [out, *torch.autograd.grad(out, [x, *wanted], gradient), *row[0].buffers()]


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operators that were called."""
    calls: list[str] = []
    original = fused_norm._run

    def spy(name: str, *tensors: Tensor) -> None:
        calls.append(name)
        original(name, *tensors)

    monkeypatch.setattr(fused_norm, '_run', spy)
    return calls


@pytest.mark.parametrize('frozen', ['', 'weight', 'bias', 'weight bias'])
@pytest.mark.parametrize('after', [(), (nn.Conv2d(16, 4, 1),)])
@pytest.mark.usefixtures('available')
def test_in_lean_training(after: tuple[nn.Module, ...], frozen: str, fused: list[str]) -> None:
    row = modules(*after)
    for name in frozen.split():
        getattr(row[0], name).requires_grad_(False)
    x = draw(2, 16, 24, 20)
    gradient = draw(*row(x).shape, seed=1)
    kept = gradient.clone()
    found = gradients(row, x, gradient, lean=True)
    # The convolution's input is computed again; what nothing saves is not.
    assert fused == ['norm_silu', *['norm_silu' for _ in after], 'norm_silu_backward']
    assert_equal(found, gradients(row, x, gradient, lean=False))
    assert torch.equal(gradient, kept)


@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
def test_two_activations_after_a_norm(memory_format: Any) -> None:
    row, x = modules(nn.SiLU()), draw(2, 16, 24, 20).contiguous(memory_format=memory_format)
    gradient = draw(2, 16, 24, 20, seed=1)
    found = gradients(row, x, gradient, lean=True)
    assert_equal(found, gradients(row, x, gradient, lean=False))


@pytest.mark.usefixtures('available')
def test_a_gradient_in_another_format(fused: list[str]) -> None:
    row, x = modules(), draw(2, 16, 24, 20)
    gradient = draw(2, 16, 24, 20, seed=1).contiguous()
    found = gradients(row, x, gradient, lean=True)
    assert fused == ['norm_silu']
    assert_equal(found, gradients(row, x, gradient, lean=False))


@pytest.mark.parametrize(
    'reason', ['contiguous', 'frozen', 'not compiled', 'another activation', 'a changed one']
)
def test_torchs_own_in_lean_training(
    reason: str, fused: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    row, x = modules(nn.Conv2d(16, 4, 1)), draw(2, 16, 24, 20)
    if reason == 'contiguous':
        x = x.contiguous()
    elif reason == 'frozen':
        row[0].eval()
    elif reason == 'not compiled':
        is_available.cache_clear()
        monkeypatch.setattr(native, 'is_compiled', lambda source: False)
    elif reason == 'another activation':
        row[1] = nn.Hardswish(inplace=True)
    else:
        row[1].forward = torch.sin
    gradient = draw(2, 4, 24, 20, seed=1)
    try:
        found = gradients(row, x, gradient, lean=True)
        assert_equal(found, gradients(row, x, gradient, lean=False))
    finally:
        is_available.cache_clear()
    assert not fused


@pytest.mark.usefixtures('available')
def test_second_derivatives_are_refused() -> None:
    x = draw(2, 16, 24, 20).requires_grad_()
    out = run_chain(1, modules(nn.Conv2d(16, 4, 1)), x)
    (first,) = torch.autograd.grad(out.sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match='once_differentiable'):
        first.sum().backward()
