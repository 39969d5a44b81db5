"""Which levels of a pyramid two nets of a head run at once, on a GPU.

Shapes: N images, C channels, level l of H_l × W_l cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from effnet_dense.models.activations import SiLU
from effnet_dense.models.layers import SeparableConv, is_pointwise
from effnet_dense.ops.autocast import is_any_autocast_enabled
from effnet_dense.ops.batch_norm import FORWARDS, group_of
from effnet_dense.ops.checkpoint import is_checkpointing
from effnet_dense.ops.joined_nets import Net
from effnet_dense.ops.triton_norm import SMALLEST
from effnet_dense.utils.modules import has_hooks, has_hooks_inside, is_exactly

ACTIVATIONS = {nn.SiLU: 'silu', SiLU: 'silu', nn.ReLU6: 'relu6'}
"""Names of activations in `effnet_dense.ops.joined_nets`."""


def small_levels(head: Any, nets: Sequence[Net], features: Sequence[Tensor]) -> list[int]:
    """Return the levels on which `joined_nets` computes the same for less work of the host.

    Args:
        head: In lean training at level 1, which saves as much; has the activation `act`.
        nets: Its nets, in which hooks should fire and compilers should find PyTorch's layers.
        features: (N, C, H_l, W_l) of each level.
    """
    if getattr(head, 'lean', 0) != 1 or not torch.is_grad_enabled():
        return []
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or is_checkpointing():
        return []
    found = [level for level, x in enumerate(features) if is_on_gpu(x) and x.numel() < SMALLEST]
    if not found:
        return []
    if not is_exactly(head.act, *ACTIVATIONS) or has_hooks(head.act):
        return []
    convs = [conv for net in nets for conv in net.convs]
    dtypes = {x.dtype for x in (*features, *(conv.pointwise.weight for conv in convs))}
    if not all(map(_is_plain_conv, convs)) or (len(dtypes) > 1 and not is_any_autocast_enabled()):
        return []
    if any(x.shape[1] != conv.depthwise.in_channels for x in features for conv in convs):
        return []  # PyTorch's layers say what they expected
    norms = [norm for net in nets for row in net.norms for norm in row]
    return found if _are_plain_norms(norms) else []


def is_on_gpu(x: Tensor) -> bool:
    """Whether kernels run while the host starts others."""
    return x.is_cuda


def _is_plain_conv(conv: Any) -> bool:
    if not is_exactly(conv, SeparableConv) or has_hooks_inside(conv):
        return False
    depthwise = conv.depthwise
    return (
        is_exactly(depthwise, nn.Conv2d)
        and (depthwise.kernel_size, depthwise.padding) == ((3, 3), (1, 1))
        and (depthwise.stride, depthwise.dilation) == ((1, 1), (1, 1))
        and depthwise.groups == depthwise.in_channels == depthwise.out_channels
        and depthwise.padding_mode == 'zeros'
        and depthwise.bias is None
        and is_pointwise(conv.pointwise)
        and conv.norm_name is None
    )


def _are_plain_norms(norms: Sequence[Any]) -> bool:
    """Whether batch norms are in training, with running statistics, and of one momentum and eps."""
    options = set()
    for norm in norms:
        if getattr(type(norm), 'forward', None) not in FORWARDS or 'forward' in vars(norm):
            return False
        if norm.momentum is None or has_hooks(norm) or group_of(norm) is not None:
            return False
        if not (norm.training and norm.affine and norm.track_running_stats):
            return False
        options.add((norm.momentum, norm.eps))
    return len(options) == 1
