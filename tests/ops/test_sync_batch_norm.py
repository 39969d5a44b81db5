"""SyncBN's two forms: operators of any device, and CUDA's kernels by their formulas in float64.

Two processes with the same images: sums double, and statistics are those of one process.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from effnet_dense.ops import batch_norm as own_batch_norm
from effnet_dense.ops import sync_batch_norm as module
from effnet_dense.ops.sync_batch_norm import sync_batch_norm

MOMENTUM, EPS = 0.3, 1e-3


@pytest.fixture(autouse=True)
def _two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def gather(parts: list[Tensor], own: Tensor, group: Any) -> None:
        for part in parts:
            part.copy_(own)

    monkeypatch.setattr(dist, 'get_world_size', lambda group: 2)
    monkeypatch.setattr(dist, 'all_gather', gather)
    monkeypatch.setattr(dist, 'all_gather_into_tensor', lambda out, own, group: out.copy_(own))
    monkeypatch.setattr(dist, 'all_reduce', lambda sums, group: sums.mul_(2))


def per_channel(*tensors: Tensor | None) -> list[Any]:
    return [None if t is None else t.double()[:, None, None] for t in tensors]


class Kernels:
    """CUDA's kernels: checked arguments, formulas in float64, results of the kernels' types."""

    def __init__(self) -> None:
        self.originals = {name: getattr(torch, name) for name in self.names}
        self.calls: list[str] = []

    names = (
        'batch_norm_stats',
        'batch_norm_gather_stats_with_counts',
        'batch_norm_elemt',
        'batch_norm_backward_reduce',
        'batch_norm_backward_elemt',
    )

    def note(self, name: str, *args: Any) -> None:
        self.calls.append(name)
        with pytest.raises(NotImplementedError, match="from the 'CPU' backend"):
            self.originals[name](*args)
        for tensor in args:  # of features: the other ones are of float32
            if isinstance(tensor, Tensor) and tensor.dim() == 4:
                assert (tensor.dtype, tensor.stride()) == (args[0].dtype, args[0].stride())
            elif isinstance(tensor, Tensor) and tensor.is_floating_point():
                assert tensor.dtype == torch.float32

    def batch_norm_stats(self, x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
        self.note('batch_norm_stats', x, eps)
        var, mean = torch.var_mean(x.double(), (0, 2, 3), correction=0)
        return mean.float(), (var + eps).rsqrt().float()

    def batch_norm_gather_stats_with_counts(
        self, x: Tensor, means: Tensor, inverses: Tensor, *rest: Any
    ) -> tuple[Tensor, Tensor]:
        running_mean, running_var, momentum, eps, counts = rest
        self.note('batch_norm_gather_stats_with_counts', x, means, inverses, *rest)
        assert means.shape == inverses.shape == (2, x.shape[1])
        assert counts.tolist() == [x.numel() / x.shape[1]] * 2
        mean = means.mean(0)
        var = inverses.double()[0] ** -2 - eps
        total = counts.sum()
        running_mean.lerp_(mean, momentum)
        running_var.lerp_((var * total / (total - 1)).float(), momentum)
        return mean, (var + eps).rsqrt().float()

    def batch_norm_elemt(self, x: Tensor, *rest: Any) -> Tensor:
        weight, bias, mean, inverse, eps = rest
        self.note('batch_norm_elemt', x, *rest)
        assert eps == 0
        weight, bias, mean, inverse = per_channel(weight, bias, mean, inverse)
        out = (x.double() - mean) * inverse
        return (out if weight is None else out * weight + bias).to(x.dtype)

    def batch_norm_backward_reduce(
        self, gradient: Tensor, x: Tensor, mean: Tensor, inverse: Tensor, *rest: Any
    ) -> tuple[Tensor | None, ...]:
        weight, *needs = rest
        self.note('batch_norm_backward_reduce', gradient, x, mean, inverse, *rest)
        dy, shifted = gradient.double(), x.double() - per_channel(mean)[0]
        level, along = (t.sum((0, 2, 3)) for t in (dy, dy * shifted))
        affine = weight is not None
        return (
            level.float() if needs[0] else None,
            along.float() if needs[0] else None,
            (along * inverse).float() if affine and needs[1] else None,
            level.float() if affine and needs[2] else None,
        )

    def batch_norm_backward_elemt(self, gradient: Tensor, x: Tensor, *rest: Any) -> Tensor:
        self.note('batch_norm_backward_elemt', gradient, x, *rest)
        counts = rest[-1]
        assert counts.dtype == torch.int32
        total = counts.sum()
        mean, inverse, weight, level, along = per_channel(*rest[:-1])
        scale = inverse if weight is None else inverse * weight
        shifted = x.double() - mean
        centred = gradient.double() - level / total - shifted * inverse**2 * along / total
        return (centred * scale).to(x.dtype)


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Kernels:
    """Let tensors of the CPU take CUDA's path."""
    kernels = Kernels()
    for name in kernels.names:
        monkeypatch.setattr(torch, name, getattr(kernels, name))
    monkeypatch.setattr(module, 'has_cuda_kernels', lambda x: True)
    monkeypatch.setattr(own_batch_norm, 'has_cuda_kernels', lambda x: True)
    return kernels


def example(affine: bool = True) -> tuple[nn.SyncBatchNorm, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    norm = nn.SyncBatchNorm(6, eps=EPS, momentum=MOMENTUM, affine=affine)
    for parameter in norm.parameters():
        nn.init.normal_(parameter, generator=generator)
    x, gradient = (torch.randn(3, 6, 5, 4, generator=generator) for _ in range(2))
    return norm, 2 * x + 1, gradient


def run(norm: nn.SyncBatchNorm, x: Tensor, gradient: Tensor) -> list[Tensor]:
    """The output, the gradients of what needs them, and the running statistics."""
    out = sync_batch_norm(x, norm.weight, norm.bias, norm, None)[0]
    leaves = [t for t in (x, norm.weight, norm.bias) if t is not None and t.requires_grad]
    found = torch.autograd.grad(out, leaves, gradient.to(out.dtype))
    buffers = [buffer.clone() for buffer in norm.buffers()]
    norm.reset_running_stats()
    return [out.detach(), *found, *buffers]


@pytest.mark.parametrize('frozen', [(), ('weight', 'bias'), ('x',)])
@pytest.mark.parametrize('affine', [True, False])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
def test_kernels_give_the_plain_gradients(
    memory_format: torch.memory_format,
    dtype: torch.dtype,
    affine: bool,
    frozen: tuple[str, ...],
    request: pytest.FixtureRequest,
) -> None:
    if 'x' in frozen and not affine:
        pytest.skip('nothing needs a gradient')
    norm, x, gradient = example(affine)
    x = x.to(dtype).contiguous(memory_format=memory_format).requires_grad_('x' not in frozen)
    for name, parameter in norm.named_parameters():
        parameter.requires_grad_(name not in frozen)
    expected = run(norm, x, gradient)
    kernels = request.getfixturevalue('kernels')
    found = run(norm, x, gradient)  # whose gradient is in NCHW
    bound = dict(rtol=1e-4, atol=1e-5) if dtype == torch.float32 else dict(rtol=2e-2, atol=2e-2)
    torch.testing.assert_close(found, expected, **bound)
    assert kernels.calls == [*Kernels.names[:4], *(Kernels.names[4:] if 'x' not in frozen else ())]


def test_plain_gradients_are_those_of_the_whole_batch() -> None:
    norm, x, gradient = example()
    whole = nn.BatchNorm2d(6, eps=EPS, momentum=MOMENTUM)
    whole.load_state_dict(norm.state_dict())
    twice = torch.cat([x, x]).requires_grad_()
    expected_out = whole(twice)
    to_twice, to_weight, to_bias = torch.autograd.grad(
        expected_out, [twice, whole.weight, whole.bias], torch.cat([gradient, gradient])
    )
    found = run(norm, x.requires_grad_(), gradient)
    expected = [expected_out[:3].detach(), to_twice[:3], to_weight / 2, to_bias / 2]
    torch.testing.assert_close(found, [*expected, *whole.buffers()], rtol=1e-4, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
def test_kernels_on_a_gpu(
    memory_format: torch.memory_format, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the CPU: test_kernels_give_the_plain_gradients."""
    norm, x, gradient = example()
    norm = norm.cuda()
    x = x.to('cuda', dtype).contiguous(memory_format=memory_format).requires_grad_()
    found = run(norm, x, gradient.cuda())
    monkeypatch.setattr(module, 'has_cuda_kernels', lambda x: False)
    monkeypatch.setattr(own_batch_norm, 'has_cuda_kernels', lambda x: False)
    expected = run(norm, x, gradient.cuda())
    bound = dict(rtol=1e-4, atol=1e-5) if dtype == torch.float32 else dict(rtol=2e-2, atol=2e-2)
    torch.testing.assert_close(found, expected, **bound)
