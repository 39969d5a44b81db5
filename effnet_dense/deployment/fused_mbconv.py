"""The part of a deployed MBConv before its projection as one operator, on CPUs.

Shapes: N images, B channels in, C channels of the expansion, H × W pixels, s the block's stride.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from effnet_dense.deployment.inplace_se import InplaceSqueezeExcite
from effnet_dense.deployment.packed_conv import can_absorb, can_pack
from effnet_dense.deployment.packing import runs_as
from effnet_dense.models.blocks import MBConv
from effnet_dense.models.layers import ConvNormAct, DepthwiseConv2d
from effnet_dense.ops.fused_depthwise import (
    KERNELS,
    STRIDES,
    fused_depthwise,
    grouped,
    is_available,
)
from effnet_dense.utils.modules import has_hooks

# Input channels up to which an expansion is computed row by row: with few of them its output is
# large, with many oneDNN's matrix product is faster.
NARROW = 64

# An expansion's weights, a kernel, its bias, and an attention's weights.
Arguments = tuple[list[Tensor], Tensor, Tensor, list[Tensor]]


@dataclass(frozen=True)
class Grouped:
    """The arguments of `fused_depthwise`, and the parameters that they were made from.

    The parameters are kept so that their addresses are not reused.
    """

    arguments: Arguments
    parameters: list[Tensor]
    versions: list[int]

    def matches(self, parameters: list[Tensor]) -> bool:
        """Whether it was made from these parameters in their current versions."""
        return all(
            a.data_ptr() == b.data_ptr() and b._version == version
            for a, b, version in zip(self.parameters, parameters, self.versions, strict=True)
        )


class FusedDepthwise(nn.Module):
    """Expansion or its activation, depthwise convolution, activation and attention of an MBConv.

    In float32 on CPUs, `fused_depthwise` runs them as one operator, except for an attention that
    it does not support. Otherwise, and if gradients are needed, they run separately.

    Args:
        before: A narrow expansion, the activation of a wide one, or None.
    """

    # Replaced atomically, since threads may share a model.
    weights: Grouped | None = None

    def __init__(
        self,
        before: ConvNormAct | nn.SiLU | None,
        depthwise: ConvNormAct,
        se: InplaceSqueezeExcite | None,
    ) -> None:
        super().__init__()
        self.before, self.depthwise, self.se = before, depthwise, se
        self.fuses_attention = se is not None and _supports_attention(se)

    def forward(self, x: Tensor) -> Tensor:
        """(N, B, H, W) → (N, C, H ÷ s, W ÷ s)."""
        if not self._can_fuse(x):
            x = self.depthwise(x if self.before is None else self.before(x))
            return x if self.se is None else self.se(x)
        conv: Any = self.depthwise.conv
        shape = conv.out_channels, conv.stride[0], _padding(conv, x)
        activate = self.before is not None
        x, means = fused_depthwise(x, *self._weights(), *shape, activate)
        return x if self.se is None or self.fuses_attention else self.se.scale(x, means)

    def _can_fuse(self, x: Tensor) -> bool:
        if torch.is_grad_enabled() or torch.jit.is_tracing() or torch.is_autocast_enabled('cpu'):
            return False
        if x.device.type != 'cpu' or x.dtype != torch.float32 or not x.numel():
            return False
        if any(parameter.dtype != torch.float32 for parameter in self._fused_parameters()):
            return False
        # Inference tensors have no version counter; torch.compile cannot query it.
        return torch.compiler.is_compiling() or not any(
            p.is_inference() for p in self._fused_parameters()
        )

    def _fused_parameters(self) -> list[Tensor]:
        """Parameters of the depthwise convolution and of a fused expansion and attention."""
        layers: list[Any] = [self.depthwise.conv]
        if isinstance(self.before, ConvNormAct):
            layers.append(self.before.conv)
        if self.se is not None and self.fuses_attention:
            layers += self.se.layers[::2]
        return [parameter for layer in layers for parameter in (layer.weight, layer.bias)]

    def _weights(self) -> Arguments:
        parameters = self._fused_parameters()
        if torch.compiler.is_compiling():  # constants, computed once
            return self._group(parameters)
        found = self.weights
        if found is None or not found.matches(parameters):
            parameters = [parameter.detach() for parameter in parameters]
            versions = [parameter._version for parameter in parameters]
            found = self.weights = Grouped(self._group(parameters), parameters, versions)
        return found.arguments

    def _group(self, parameters: list[Tensor]) -> Arguments:
        kernel, bias, *rest = parameters
        expansion: list[Tensor] = []
        if isinstance(self.before, ConvNormAct):
            weight, expand_bias, *rest = rest
            expansion = [grouped(weight.flatten(1)), grouped(expand_bias)]
        attention: list[Tensor] = []
        if rest:
            squeeze, squeeze_bias, excite, excite_bias = rest
            attention = [squeeze, squeeze_bias, excite.t(), excite_bias]
        return (
            expansion,
            grouped(kernel[:, 0]),
            grouped(bias),
            [parameter.contiguous() for parameter in attention],
        )

    def __getstate__(self) -> dict[str, Any]:
        """Omit the grouped weights, which are made on demand."""
        state = self.__dict__.copy()
        state.pop('weights', None)
        return state


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
        (type(expand) is nn.Identity or (_is_silu_conv(expand) and _is_pointwise(expand.conv)))
        and _is_silu_conv(depthwise)
        and _supports_depthwise(depthwise.conv)
        and (type(se) is nn.Identity or (type(se) is InplaceSqueezeExcite and not has_hooks(se)))
    )


def _supports_attention(se: InplaceSqueezeExcite) -> bool:
    """Whether `fused_depthwise` supports an attention."""
    squeeze, act, excite = se.layers
    plain = all(
        type(layer) is nn.Linear and layer.bias is not None and not has_hooks(layer)
        for layer in (squeeze, excite)
    )
    return plain and type(act) is nn.SiLU and can_absorb(act) and not has_hooks(se.layers)


def _is_silu_conv(module: Any) -> bool:
    """Whether it is exactly a convolution and SiLU, without a norm and without hooks."""
    return (
        runs_as(module, ConvNormAct)
        and module.norm_name is None
        and isinstance(module.act, nn.SiLU)
        and can_absorb(module.act)
        and can_pack(module.conv)
        and not has_hooks(module)
    )


def _is_pointwise(conv: Any) -> bool:
    shape = conv.kernel_size, conv.stride, conv.padding, conv.groups
    return shape == ((1, 1), (1, 1), (0, 0), 1) and conv.bias is not None


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
