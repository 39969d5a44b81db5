"""Batch norm that runs twice: the first pass computes the statistics, the second reuses them.

Shapes: N images, C channels, H × W pixels.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.modules.batchnorm import _BatchNorm

# Subclasses with another forward pass are not supported.
FORWARDS = (nn.BatchNorm2d.forward, nn.SyncBatchNorm.forward)
ProcessGroup = Any


def supports_recomputation(module: nn.Module) -> bool:
    """Whether this is a batch norm whose first pass can hand its statistics to the second.

    Not supported are cumulative statistics (momentum None) and norms without running statistics.
    """
    if not isinstance(module, _BatchNorm) or type(module).forward not in FORWARDS:
        return False
    return module.track_running_stats and module.momentum is not None


def normalise(
    norm: Any, training: bool, x: Tensor, weight: Tensor | None, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Run the first pass, without a graph, and update the running statistics.

    Args:
        norm: A module that `supports_recomputation` accepts.
        training: Its mode.
        x: (N, C, H, W).
        weight: (C,), replaces the module's.
        bias: (C,), replaces the module's.

    Returns:
        The output, and the arguments of `normalise_again`: the batch's mean and 1 ÷ σ, (C,) each,
        or the running mean and variance.
    """
    mean, var = norm.running_mean, norm.running_var
    if not training:
        return F.batch_norm(x, mean, var, weight, bias, eps=norm.eps), mean, var
    group = group_of(norm)
    if group is None and x.numel() == x.shape[1]:
        raise ValueError(
            f'batch norm in training needs more than one value per channel, got {tuple(x.shape)}'
        )
    norm.num_batches_tracked.add_(1)
    if group is None:
        return torch.native_batch_norm(x, weight, bias, mean, var, True, norm.momentum, norm.eps)
    batch_mean, batch_var, count = _global_statistics(x, group)
    mean.lerp_(batch_mean.to(mean.dtype), norm.momentum)
    var.lerp_((batch_var * (count / (count - 1))).to(var.dtype), norm.momentum)
    inverse = (batch_var + norm.eps).rsqrt()
    return apply_statistics(x, weight, bias, batch_mean, inverse), batch_mean, inverse


def batch_statistics(norm: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """Compute mean and 1 ÷ σ as `normalise` does in one process; update running statistics.

    Args:
        norm: A module that `supports_recomputation` accepts.
        x: (N, C, H, W).

    Returns:
        (C,) each.
    """
    norm.num_batches_tracked.add_(1)
    mean, var = torch.batch_norm_update_stats(x, norm.running_mean, norm.running_var, norm.momentum)
    # In double precision, like the kernel that computes statistics and output at once.
    return mean, (var.double() + norm.eps).rsqrt().to(var.dtype)


def normalise_again(
    norm: Any,
    training: bool,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor,
    spread: Tensor,
) -> Tensor:
    """Run the second pass, with a graph, from the values that `normalise` returned.

    For frozen norms and SyncBN over several processes; `backward.NormStep` is for the others.
    """
    if not training:
        return F.batch_norm(x, mean, spread, weight, bias, eps=norm.eps)
    return _RecomputedSyncBatchNorm.apply(x, weight, bias, mean, spread, group_of(norm))


def group_of(norm: nn.Module) -> ProcessGroup | None:
    """Return the process group that shares a norm's batch statistics, if it has several members."""
    if not isinstance(norm, nn.SyncBatchNorm):
        return None
    if not dist.is_available() or not dist.is_initialized():
        return None
    group = norm.process_group or dist.group.WORLD
    return group if dist.get_world_size(group) > 1 else None


def _global_statistics(x: Tensor, group: ProcessGroup) -> tuple[Tensor, Tensor, Tensor]:
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


def apply_statistics(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor, inverse: Tensor
) -> Tensor:
    """Normalise by mean and 1 ÷ σ, (C,) each, bit-identical to the pass that computed them."""
    # The kernel multiplies weight by 1 ÷ σ first: with σ = 1 its results are those of training.
    scale = inverse if weight is None else inverse * weight
    one = torch.ones_like(mean)
    return torch.native_batch_norm(x, scale, bias, mean, one, False, 0.0, 0.0)[0]


class _RecomputedSyncBatchNorm(Function):
    """SyncBN in training, given the mean and 1 ÷ σ of all processes' batches.

    Weight and bias get this process's share of their gradients, which DDP sums.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        mean: Tensor,
        inverse: Tensor,
        group: ProcessGroup,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, inverse)
        ctx.group = group
        return apply_statistics(x, weight, bias, mean, inverse)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, inverse = ctx.saved_tensors
        scale = inverse if weight is None else inverse * weight
        # Σ dy·x̂ and Σ dy; the kernel requires a weight of the statistics' type.
        one = torch.ones_like(mean)
        _, to_weight, to_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, x, one, None, None, mean, inverse, True, 0.0, [False, True, True]
        )
        to_x = None
        if ctx.needs_input_grad[0]:
            count = mean.new_full((1,), x.numel() / x.shape[1])
            sums = torch.cat([to_weight, to_bias, count])
            dist.all_reduce(sums, group=ctx.group)
            along, level = sums[:-1].view(2, -1) / sums[-1]
            # dx = scale · (dy − mean(dy) − x̂ · mean(dy·x̂)), as a line in dy and x per channel.
            slope = -scale * inverse * along
            offset = -scale * level - slope * mean
            scale, slope, offset = (part[:, None, None] for part in (scale, slope, offset))
            to_x = (gradient * scale + x * slope + offset).to(x.dtype)
        needs = ctx.needs_input_grad
        return (
            to_x,
            to_weight if needs[1] else None,
            to_bias if needs[2] else None,
            *(None, None, None),
        )
