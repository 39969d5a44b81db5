"""A deployed MBConv up to its projection, on CPUs.

Letters: N images, B channels in, C of the expansion, H × W pixels, s the block's stride.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from effnet_dense.deployment.inplace_se import InplaceSqueezeExcite
from effnet_dense.deployment.packed_conv import joins, packs
from effnet_dense.deployment.packing import runs_as
from effnet_dense.lean.gated import has_hooks
from effnet_dense.models.blocks import MBConv
from effnet_dense.models.layers import ConvNormAct, DepthwiseConv2d
from effnet_dense.ops.fused_depthwise import (
    KERNELS,
    STRIDES,
    fused_depthwise,
    grouped,
    is_available,
)

# Input channels up to which an expansion is computed row by row: its output is large where they
# are few, and where they are many oneDNN's product is the faster.
NARROW = 64


# An expansion's weights, a kernel, its bias, and an attention's weights.
Arguments = tuple[list[Tensor], Tensor, Tensor, list[Tensor]]


@dataclass(frozen=True)
class Grouped:
    """Parameters as `fused_depthwise` takes them, and what they were made of.

    The parameters are kept, so that nothing else can lie at their addresses.
    """

    arguments: Arguments
    parameters: list[Tensor]
    versions: list[int]

    def is_of(self, parameters: list[Tensor]) -> bool:
        """Whether it is these parameters', as they are now."""
        return all(
            a.data_ptr() == b.data_ptr() and b._version == version
            for a, b, version in zip(self.parameters, parameters, self.versions, strict=True)
        )


class Middle(nn.Module):
    """What is before the depthwise convolution, that, its activation and the attention.

    In float32 on CPUs `fused_depthwise` does it all, or all but an attention of another kind.
    Elsewhere, and where gradients are asked for, they run as they are.

    Args:
        before: A narrow expansion, the activation of a wide one, or None.
    """

    # Replaced as a whole, since threads may share a model.
    weights: Grouped | None = None

    def __init__(
        self,
        before: ConvNormAct | nn.SiLU | None,
        depthwise: ConvNormAct,
        se: InplaceSqueezeExcite | None,
    ) -> None:
        super().__init__()
        self.before, self.depthwise, self.se = before, depthwise, se
        self.weighs = se is not None and _can_weigh(se)

    def forward(self, x: Tensor) -> Tensor:
        """(N, B, H, W) → (N, C, H ÷ s, W ÷ s)."""
        if not self._can_fuse(x):
            x = self.depthwise(x if self.before is None else self.before(x))
            return x if self.se is None else self.se(x)
        conv: Any = self.depthwise.conv
        shape = conv.out_channels, conv.stride[0], _padding(conv, x)
        activate = self.before is not None
        x, means = fused_depthwise(x, *self._weights(), *shape, activate)
        return x if self.se is None or self.weighs else self.se.weigh(x, means)

    def _can_fuse(self, x: Tensor) -> bool:
        if torch.is_grad_enabled() or torch.jit.is_tracing() or torch.is_autocast_enabled('cpu'):
            return False
        if x.device.type != 'cpu' or x.dtype != torch.float32 or not x.numel():
            return False
        if any(parameter.dtype != torch.float32 for parameter in self._parameters_of()):
            return False
        # Changes of an inference tensor are counted nowhere; torch.compile cannot ask.
        return torch.compiler.is_compiling() or not any(
            p.is_inference() for p in self._parameters_of()
        )

    def _parameters_of(self) -> list[Tensor]:
        """Of the depthwise convolution and, if there are any, expansion and attention."""
        layers: list[Any] = [self.depthwise.conv]
        if isinstance(self.before, ConvNormAct):
            layers.append(self.before.conv)
        if self.se is not None and self.weighs:
            layers += self.se.layers[::2]
        return [parameter for layer in layers for parameter in (layer.weight, layer.bias)]

    def _weights(self) -> Arguments:
        parameters = self._parameters_of()
        if torch.compiler.is_compiling():  # constants, computed once
            return self._group(parameters)
        found = self.weights
        if found is None or not found.is_of(parameters):
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
        """Without what can be made again."""
        state = self.__dict__.copy()
        state.pop('weights', None)
        return state


def join_middles(model: nn.Module) -> None:
    """Put a `Middle` in the place of all that it can do, in each MBConv of a deployed model.

    Without a C++ compiler the model stays as it is.
    """
    blocks = [m for m in model.modules() if runs_as(m, MBConv) and _has_middle(m)]
    if blocks and is_available():
        for block in blocks:
            _join(block)


def _join(block: Any) -> None:
    before = block.expand_conv
    if before is not None and before.conv.in_channels > NARROW:
        block.expand_conv, before = before.conv, before.act
    else:
        block.expand_conv = None
    block.depthwise_conv, block.se = Middle(before, block.depthwise_conv, block.se), None


def _has_middle(block: Any) -> bool:
    expand, depthwise, se = block.expand_conv, block.depthwise_conv, block.se
    return (
        (expand is None or (_is_silu_conv(expand) and _is_pointwise(expand.conv)))
        and _is_silu_conv(depthwise)
        and _fits(depthwise.conv)
        and (se is None or (type(se) is InplaceSqueezeExcite and not has_hooks(se)))
    )


def _can_weigh(se: InplaceSqueezeExcite) -> bool:
    """Whether `fused_depthwise` can do an attention."""
    squeeze, act, excite = se.layers
    plain = all(
        type(layer) is nn.Linear and layer.bias is not None and not has_hooks(layer)
        for layer in (squeeze, excite)
    )
    return plain and type(act) is nn.SiLU and joins(act) and not has_hooks(se.layers)


def _is_silu_conv(module: Any) -> bool:
    """Whether it is a convolution and SiLU, without a norm, and nobody waits for it to run."""
    return (
        runs_as(module, ConvNormAct)
        and module.norm_name is None
        and isinstance(module.act, nn.SiLU)
        and joins(module.act)
        and packs(module.conv)
        and not has_hooks(module)
    )


def _is_pointwise(conv: Any) -> bool:
    shape = conv.kernel_size, conv.stride, conv.padding, conv.groups
    return shape == ((1, 1), (1, 1), (0, 0), 1) and conv.bias is not None


def _fits(conv: Any) -> bool:
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
    """Pixels at the top, the bottom, the left and the right of (N, C, H, W)."""
    if isinstance(conv, DepthwiseConv2d):
        rows, columns = conv.sides(x)
        return rows.before, rows.after, columns.before, columns.after
    down, right = conv.padding
    return down, down, right, right
