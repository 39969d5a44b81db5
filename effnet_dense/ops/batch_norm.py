"""Batch norm in training that also returns its statistics, in one process or over several.

Shapes: N images of this process, C channels, H × W pixels.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

Normed = tuple[Tensor, Tensor, Tensor]  # the output (N, C, H, W), mean and 1 ÷ σ, (C,) each


def batch_norm(x: Tensor, norm: Any) -> Normed:
    """Normalise, and update the running statistics, as `norm` would.

    Args:
        x: (N, C, H, W).
        norm: A batch norm in training, with running statistics and a momentum.

    Raises:
        ValueError: A channel has a single value.
    """
    if x.numel() == x.shape[1]:
        raise ValueError(
            f'batch norm in training needs more than one value per channel, got {tuple(x.shape)}'
        )
    norm.num_batches_tracked.add_(1)
    # What nn.BatchNorm2d calls, which returns the output alone.
    return torch._batch_norm_impl_index(
        *(x, norm.weight, norm.bias, norm.running_mean, norm.running_var),
        *(True, norm.momentum, norm.eps, torch.backends.cudnn.enabled),
    )[:3]


def batch_statistics(x: Tensor, norm: Any) -> tuple[Tensor, Tensor]:
    """Compute mean and 1 ÷ σ to the bit as `batch_norm` does, and update running statistics."""
    norm.num_batches_tracked.add_(1)
    mean, var = torch.batch_norm_update_stats(x, norm.running_mean, norm.running_var, norm.momentum)
    # In double precision, like the kernel that computes statistics and output at once.
    return mean, (var.double() + norm.eps).rsqrt().to(var.dtype)


def apply_statistics(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor, inverse: Tensor
) -> Tensor:
    """Normalise by mean and 1 ÷ σ, (C,) each; on CPUs to the bit as `batch_norm`."""
    if x.is_cuda and type(x) is Tensor:  # there is none for fake tensors
        return torch.batch_norm_elemt(x, weight, bias, mean, inverse, 0.0)
    # The kernel multiplies weight by 1 ÷ σ first: with σ = 1 its results are those of training.
    scale = inverse if weight is None else inverse * weight
    one = torch.ones_like(mean)
    return torch.native_batch_norm(x, scale, bias, mean, one, False, 0.0, 0.0)[0]


def group_of(norm: nn.Module) -> Any:
    """Return the process group that shares a norm's batch statistics, if it has several members."""
    if not isinstance(norm, nn.SyncBatchNorm):
        return None
    if not dist.is_available() or not dist.is_initialized():
        return None
    group = norm.process_group or dist.group.WORLD
    return group if dist.get_world_size(group) > 1 else None


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


def _global_statistics(x: Tensor, group: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean and biased variance (C,) over all processes, and the pixel count (1,)."""
    mean, var = torch.batch_norm_update_stats(x, None, None, 0.0)
    count = mean.new_full((1,), x.numel() / x.shape[1])
    own = torch.cat([mean, var, count])
    parts = [torch.empty_like(own) for _ in range(dist.get_world_size(group))]
    dist.all_gather(parts, own, group)
    channels = x.shape[1]
    means, variances, counts = torch.stack(parts).split([channels, channels, 1], 1)
    total = counts.sum()
    shares = counts / total
    mean = (shares * means).sum(0)
    return mean, (shares * (variances + (means - mean) ** 2)).sum(0), total


class _SyncBatchNorm(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, norm: Any, group: Any
    ) -> Normed:
        norm.num_batches_tracked.add_(1)
        mean, var, count = _global_statistics(x, group)
        norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), norm.momentum)
        unbiased = var * (count / (count - 1))
        norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), norm.momentum)
        inverse = (var + norm.eps).rsqrt()
        ctx.group = group
        ctx.save_for_backward(x, weight, mean, inverse)
        ctx.mark_non_differentiable(mean, inverse)
        ctx.set_materialize_grads(False)
        return apply_statistics(x, weight, bias, mean, inverse), mean, inverse

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: None) -> tuple[Tensor | None, ...]:
        x, weight, mean, inverse = ctx.saved_tensors
        # Σ dy·x̂ and Σ dy; the kernel requires a weight of the statistics' type.
        _, to_weight, to_bias = torch.ops.aten.native_batch_norm_backward(
            *(gradient, x, torch.ones_like(mean), None, None, mean, inverse, True, 0.0),
            [False, True, True],
        )
        to_x = None
        if ctx.needs_input_grad[0]:
            count = mean.new_full((1,), x.numel() / x.shape[1])
            sums = torch.cat([to_weight, to_bias, count])
            dist.all_reduce(sums, group=ctx.group)
            along, level = sums[:-1].view(2, -1) / sums[-1]
            # dx = scale · (dy − mean(dy) − x̂ · mean(dy·x̂)), as a line in dy and x per channel.
            scale = inverse if weight is None else inverse * weight
            slope = -scale * inverse * along
            offset = -scale * level - slope * mean
            scale, slope, offset = (part[:, None, None] for part in (scale, slope, offset))
            to_x = (gradient * scale + x * slope + offset).to(x.dtype)
        needs = ctx.needs_input_grad
        return to_x, to_weight if needs[1] else None, to_bias if needs[2] else None, None, None
