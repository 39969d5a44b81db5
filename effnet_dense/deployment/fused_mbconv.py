"""The part of a deployed MBConv before its projection as one operator, on CPUs.

Shapes: N images, B channels in, C channels of the expansion, H × W pixels, s the block's stride.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from effnet_dense.deployment.inplace_se import InplaceSqueezeExcite
from effnet_dense.models.activations import SiLU
from effnet_dense.models.blocks import MBConv
from effnet_dense.models.layers import Conv2dSame, ConvNormAct, DepthwiseConv2d, is_pointwise
from effnet_dense.ops.fused_depthwise import (
    KERNELS,
    STRIDES,
    fused_depthwise,
    grouped,
    is_available,
)
from effnet_dense.utils.modules import has_hooks, is_exactly, runs_as

# Input channels up to which an expansion is computed row by row: with few of them its output is
# large, with many oneDNN's matrix product is faster.
NARROW = 64

# An expansion's weights, a kernel and its bias, as `fused_depthwise` takes them.
Arguments = tuple[list[Tensor], Tensor, Tensor]


class FusedDepthwise(nn.Module):
    """Expansion or its activation, depthwise convolution and activation, and attention.

    In float32 on CPUs, all but the attention are one operator, `fused_depthwise`. Otherwise, and if
    gradients are needed, they run separately.

    Args:
        before: A narrow expansion, the activation of a wide one, or None.
    """

    # Versions and parameters, kept so that their addresses are not reused, and what was made of
    # them. Replaced atomically, since threads may share a model.
    cache: tuple[list[tuple[int, int]], list[Tensor], Arguments] | None = None

    def __init__(
        self,
        before: ConvNormAct | nn.SiLU | None,
        depthwise: ConvNormAct,
        se: InplaceSqueezeExcite | None,
    ) -> None:
        super().__init__()
        self.before, self.depthwise, self.se = before, depthwise, se

    def forward(self, x: Tensor) -> Tensor:
        """(N, B, H, W) → (N, C, H ÷ s, W ÷ s)."""
        if not self._can_fuse(x):
            x = self.depthwise(x if self.before is None else self.before(x))
            return x if self.se is None else self.se(x)
        conv: Any = self.depthwise.conv
        shape = conv.out_channels, conv.stride[0], _padding(conv, x)
        x, means = fused_depthwise(x, *self._weights(), *shape, self.before is not None)
        return x if self.se is None else self.se.scale(x, means)

    def _can_fuse(self, x: Tensor) -> bool:
        if torch.is_grad_enabled() or torch.jit.is_tracing() or torch.is_autocast_enabled('cpu'):
            return False
        if x.device.type != 'cpu' or not x.numel():
            return False
        if any(t.dtype != torch.float32 for t in (x, *self._fused_parameters())):
            return False
        # Inference tensors have no version counter; torch.compile cannot query it.
        return torch.compiler.is_compiling() or not any(
            p.is_inference() for p in self._fused_parameters()
        )

    def _fused_parameters(self) -> list[Tensor]:
        """Weight and bias of the depthwise convolution, and of a fused expansion."""
        layers: list[Any] = [self.depthwise.conv]
        if isinstance(self.before, ConvNormAct):
            layers.append(self.before.conv)
        return [parameter for layer in layers for parameter in (layer.weight, layer.bias)]

    def _weights(self) -> Arguments:
        parameters = self._fused_parameters()
        if torch.compiler.is_compiling():  # constants, computed once
            return _group(*parameters)
        versions = [(parameter.data_ptr(), parameter._version) for parameter in parameters]
        if self.cache is None or self.cache[0] != versions:
            parameters = [parameter.detach() for parameter in parameters]
            self.cache = versions, parameters, _group(*parameters)
        return self.cache[2]

    def __getstate__(self) -> dict[str, Any]:
        """Omit the grouped weights, which are made on demand."""
        state = self.__dict__.copy()
        state.pop('cache', None)
        return state


def _group(kernel: Tensor, bias: Tensor, *expansion: Tensor) -> Arguments:
    return (
        [grouped(weight.flatten(1)) for weight in expansion[:1]]
        + [grouped(weight) for weight in expansion[1:]],
        grouped(kernel[:, 0]),
        grouped(bias),
    )


def fuse_mbconvs(model: nn.Module) -> None:
    """Replace the layers before each MBConv's projection by a `FusedDepthwise`, in place.

    Without a C++ compiler the model is left unchanged.
    """
    blocks = [m for m in model.modules() if runs_as(m, MBConv) and _can_fuse(m)]
    if blocks and is_available():
        for block in blocks:
            _fuse(block)


def _fuse(block: Any) -> None:
    before = block.expand_conv
    if type(before) is nn.Identity:
        before = None
    elif before.conv.in_channels > NARROW:
        block.expand_conv, before = before.conv, before.act
    else:
        block.expand_conv = nn.Identity()
    se = None if type(block.se) is nn.Identity else block.se
    block.depthwise_conv, block.se = FusedDepthwise(before, block.depthwise_conv, se), nn.Identity()


def _can_fuse(block: Any) -> bool:
    expand, depthwise, se = block.expand_conv, block.depthwise_conv, block.se
    return (
        (type(expand) is nn.Identity or _is_silu_pointwise(expand))
        and _is_silu_conv(depthwise)
        and _supports_depthwise(depthwise.conv)
        and (type(se) is nn.Identity or (type(se) is InplaceSqueezeExcite and not has_hooks(se)))
    )


def _is_silu_pointwise(module: Any) -> bool:
    return _is_silu_conv(module) and is_pointwise(module.conv) and module.conv.bias is not None


def _is_silu_conv(module: Any) -> bool:
    """Whether it is exactly a convolution and SiLU, without a norm and without hooks."""
    return (
        runs_as(module, ConvNormAct)
        and module.norm_name is None
        and _is_unmodified(module.act, nn.SiLU, SiLU)
        and _is_unmodified(module.conv, nn.Conv2d, Conv2dSame, DepthwiseConv2d)
        and module.conv.padding_mode == 'zeros'
        and not isinstance(module.conv.padding, str)
        and not has_hooks(module)
    )


def _is_unmodified(module: nn.Module, *classes: type[nn.Module]) -> bool:
    """Whether it is exactly of one of `classes` and computes what they do."""
    return is_exactly(module, *classes) and not has_hooks(module)


def _supports_depthwise(conv: Any) -> bool:
    """Whether `fused_depthwise` supports a depthwise convolution."""
    rows, columns = conv.kernel_size
    return (
        conv.groups == conv.in_channels == conv.out_channels
        and rows == columns
        and rows in KERNELS
        and conv.stride[0] == conv.stride[1]
        and conv.stride[0] in STRIDES
        and conv.dilation == (1, 1)
        and max(conv.padding) < rows
        and conv.bias is not None
        and conv.weight.device.type == 'cpu'
    )


def _padding(conv: Any, x: Tensor) -> tuple[int, int, int, int]:
    """Return the zeros at the top, bottom, left and right of (N, C, H, W)."""
    if isinstance(conv, DepthwiseConv2d):
        (top, bottom), (left, right) = conv.padding_for(x)
        return top, bottom, left, right
    down, right = conv.padding
    return down, down, right, right
