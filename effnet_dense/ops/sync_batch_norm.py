"""SyncBN over several processes that also returns its statistics.

On CUDA by the kernels of nn.SyncBatchNorm, each of which reads a feature once; elsewhere by a few
operators of any device.

Shapes: N images of this process, C channels, H × W pixels, P processes.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from effnet_dense.ops.batch_norm import Normed, apply_statistics, has_cuda_kernels

Gradients = tuple[Tensor | None, Tensor | None, Tensor | None]  # of x, weight and bias
Statistics = tuple[Tensor, Tensor, Tensor]
"""Mean and 1 ÷ σ (C,) over all processes, and their numbers of pixels (P,), or the sum (1,)."""


def sync_batch_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, norm: Any, group: Any
) -> Normed:
    """Normalise by the statistics of all processes, and update the running ones, on any device.

    Weight and bias get this process's share of their gradients, which DDP sums.

    Args:
        x: (N, C, H, W).
        weight: (C,), like the bias.
        norm: An nn.SyncBatchNorm in training, with running statistics and a momentum.
        group: Its process group.
    """
    return _SyncBatchNorm.apply(x, weight, bias, norm, group)


class _SyncBatchNorm(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, norm: Any, group: Any
    ) -> Normed:
        norm.num_batches_tracked.add_(1)
        share = _shared_by_kernels if has_cuda_kernels(x) else _shared_statistics
        mean, inverse, counts = share(x, norm, group)
        ctx.group = group
        ctx.save_for_backward(x, weight, mean, inverse, counts)
        ctx.mark_non_differentiable(mean, inverse)
        ctx.set_materialize_grads(False)
        return apply_statistics(x, weight, bias, mean, inverse), mean, inverse

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: None) -> tuple[Tensor | None, ...]:
        saved, group, needs = ctx.saved_tensors, ctx.group, ctx.needs_input_grad[:3]
        if has_cuda_kernels(saved[0]):
            return *_gradients_by_kernels(gradient, saved, group, needs), None, None
        return *_gradients(gradient, saved, group, needs), None, None


def _shared_statistics(x: Tensor, norm: Any, group: Any) -> Statistics:
    # Statistics get the type of running ones: x may be in half precision.
    unused = torch.zeros_like(norm.running_mean), torch.zeros_like(norm.running_var)
    mean, var = torch.batch_norm_update_stats(x, *unused, 0.0)
    count = mean.new_full((1,), x.numel() / x.shape[1])
    own = torch.cat([mean, var, count])
    parts = [torch.empty_like(own) for _ in range(dist.get_world_size(group))]
    dist.all_gather(parts, own, group)
    channels = x.shape[1]
    means, variances, counts = torch.stack(parts).split([channels, channels, 1], 1)
    total = counts.sum()
    shares = counts / total
    mean = (shares * means).sum(0)
    var = (shares * (variances + (means - mean) ** 2)).sum(0)
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), norm.momentum)
    unbiased = var * (total / (total - 1))
    norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), norm.momentum)
    return mean, (var + norm.eps).rsqrt(), total.view(1)


def _shared_by_kernels(x: Tensor, norm: Any, group: Any) -> Statistics:
    mean, inverse = torch.batch_norm_stats(x, norm.eps)
    count = mean.new_full((1,), x.numel() / x.shape[1])
    own = torch.cat([mean, inverse, count])
    gathered = own.new_empty(dist.get_world_size(group), len(own))
    dist.all_gather_into_tensor(gathered, own, group)
    channels = x.shape[1]
    means, inverses, counts = gathered.split([channels, channels, 1], 1)
    counts = counts.flatten()
    mean, inverse = torch.batch_norm_gather_stats_with_counts(
        *(x, means, inverses, norm.running_mean, norm.running_var),
        *(norm.momentum, norm.eps, counts.to(norm.running_mean.dtype)),
    )
    return mean, inverse, counts.to(torch.int32)


def _gradients(
    gradient: Tensor, saved: tuple[Any, ...], group: Any, needs: tuple[bool, ...]
) -> Gradients:
    x, weight, mean, inverse, total = saved
    # Σ dy·x̂ and Σ dy; the kernel requires a weight of the statistics' type.
    _, to_weight, to_bias = torch.ops.aten.native_batch_norm_backward(
        *(gradient, x, torch.ones_like(mean), None, None, mean, inverse, True, 0.0),
        [False, True, True],
    )
    to_x = None
    if needs[0]:
        sums = torch.cat([to_weight, to_bias])
        dist.all_reduce(sums, group=group)
        along, level = sums.view(2, -1) / total
        # dx = scale · (dy − mean(dy) − x̂ · mean(dy·x̂)), as a line in dy and x per channel.
        scale = inverse if weight is None else inverse * weight
        slope = -scale * inverse * along
        offset = -scale * level - slope * mean
        scale, slope, offset = (part[:, None, None] for part in (scale, slope, offset))
        to_x = (gradient * scale + x * slope + offset).to(x.dtype)
    return to_x, to_weight if needs[1] else None, to_bias if needs[2] else None


def _gradients_by_kernels(
    gradient: Tensor, saved: tuple[Any, ...], group: Any, needs: tuple[bool, ...]
) -> Gradients:
    x, weight, mean, inverse, counts = saved
    gradient = _laid_out_as(gradient, x)
    weight = None if weight is None else weight.to(mean.dtype)
    # Σ dy and Σ dy·(x − mean)
    level, along, to_weight, to_bias = torch.batch_norm_backward_reduce(
        gradient, x, mean, inverse, weight, *needs
    )
    to_x = None
    if needs[0]:
        sums = torch.stack([level, along])
        dist.all_reduce(sums, group=group)
        to_x = torch.batch_norm_backward_elemt(
            gradient, x, mean, inverse, weight, sums[0], sums[1], counts
        )
    return to_x, to_weight if needs[1] else None, to_bias if needs[2] else None


def _laid_out_as(gradient: Tensor, x: Tensor) -> Tensor:
    """Return the gradient in x's memory format, which the fast kernels require."""
    by_channels = x.is_contiguous(memory_format=torch.channels_last)
    return gradient.contiguous(
        memory_format=torch.channels_last if by_channels else torch.contiguous_format
    )
