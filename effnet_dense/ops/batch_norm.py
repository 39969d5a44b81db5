"""Batch norm in training that also returns its statistics.

Shapes: N images of this process, C channels, H × W pixels.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

FORWARDS = (nn.BatchNorm2d.forward, nn.SyncBatchNorm.forward)
"""Methods of norms that compute what this file does; subclasses may have others."""
Normed = tuple[Tensor, Tensor, Tensor]  # the output (N, C, H, W), mean and 1 ÷ σ, (C,) each


def batch_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, norm: Any) -> Normed:
    """Normalise, and update the running statistics, as `norm` would.

    Args:
        x: (N, C, H, W).
        weight: (C,), like the bias: those of `norm`.
        norm: A batch norm in training, with running statistics and a momentum.

    Raises:
        ValueError: A channel has a single value.
    """
    if x.numel() == x.shape[1]:
        raise ValueError(
            f'batch norm in training needs more than one value per channel, got {tuple(x.shape)}'
        )
    buffers = norm._buffers  # not its attributes, which take three times as long
    buffers['num_batches_tracked'].add_(1)
    # What nn.BatchNorm2d calls, which returns the output alone.
    return torch._batch_norm_impl_index(
        *(x, weight, bias, buffers['running_mean'], buffers['running_var']),
        *(True, norm.momentum, norm.eps, torch.backends.cudnn.enabled),
    )[:3]


def batch_statistics(x: Tensor, norm: Any) -> tuple[Tensor, Tensor]:
    """Compute mean and 1 ÷ σ to the bit as `batch_norm` does, and update running statistics."""
    norm.num_batches_tracked.add_(1)
    mean, var = torch.batch_norm_update_stats(x, norm.running_mean, norm.running_var, norm.momentum)
    # In double precision, like the kernel that computes statistics and output at once.
    return mean, (var.double() + norm.eps).rsqrt().to(var.dtype)


def has_cuda_kernels(x: Tensor) -> bool:
    """Whether torch's `batch_norm_…` kernels for CUDA run on a tensor; not on fake ones."""
    return x.is_cuda and type(x) is Tensor


def apply_statistics(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor, inverse: Tensor
) -> Tensor:
    """Normalise by mean and 1 ÷ σ, (C,) each; on CPUs to the bit as `batch_norm`."""
    if has_cuda_kernels(x):
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
