"""Convolutions that keep their kernel in oneDNN's memory layout, for inference on CPUs.

PyTorch's convolution reorders the kernel in every forward pass, a tenth of its time in deep stages.
A separate activation reads and writes the largest features once more, although the convolution
before it had the values in registers.

Shapes: N images, C channels in, D channels out, H × W pixels, H' × W' pixels of the output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from effnet_dense.models.layers import Conv2dSame, DepthwiseConv2d
from effnet_dense.ops.depthwise import Geometry, extend_kernel, fast_geometry
from effnet_dense.utils.modules import has_hooks

# Activations' names in oneDNN, as torch.ops.mkldnn expects them.
NAMES: dict[type[nn.Module], str] = {
    nn.SiLU: 'swish',
    nn.ReLU: 'relu',
    nn.ReLU6: 'hardtanh',
    nn.Hardswish: 'hardswish',
}


@dataclass(frozen=True)
class Packed:
    """A kernel in oneDNN's layout, and the weight that it was made from.

    The weight is kept so that its address is not reused.
    """

    kernel: Tensor
    weight: Tensor
    version: int
    geometry: Geometry | None

    def matches(self, weight: Tensor, geometry: Geometry | None) -> bool:
        """Whether it was made from this weight in its current version, extended for `geometry`."""
        same = self.weight.data_ptr() == weight.data_ptr() and self.version == weight._version
        return same and self.geometry == geometry


class PackedConv2d(nn.Conv2d):
    """A convolution and an activation as one operator, in float32 on CPUs.

    Otherwise, in traces, under torch.compile (which does the same itself), and if gradients are
    needed, both run separately.
    """

    act: nn.Module | None
    # Replaced atomically, since threads may share a model.
    packed: Packed | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, D, H', W')."""
        if not self._can_pack(x):
            x = super().forward(x)
            return x if self.act is None else self.act(x)
        return self._convolve(x, self.padding, None)

    def _convolve(self, x: Tensor, padding: Any, geometry: Geometry | None) -> Tensor:
        """Convolve with the packed kernel, extended by zeros if `geometry` is given."""
        shape = list(padding), list(self.stride), list(self.dilation), self.groups
        packed = self.packed
        if packed is None or not packed.matches(self.weight, geometry):
            weight = self.weight.detach()
            kernel = torch.ops.mkldnn._reorder_convolution_weight(
                weight if geometry is None else extend_kernel(weight, geometry),
                *shape,
                list(x.shape),
            )
            packed = self.packed = Packed(kernel, weight, weight._version, geometry)
        return torch.ops.mkldnn._convolution_pointwise(
            x, packed.kernel, self.bias, *shape, *_post_op(self.act)
        )

    def _can_pack(self, x: Tensor) -> bool:
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.jit.is_tracing():
            return False
        if x.device.type != 'cpu' or x.dtype != torch.float32 or x.dim() != 4 or not x.numel():
            return False
        # Inference tensors have no version counter.
        if self.weight.dtype != torch.float32 or self.weight.is_inference():
            return False
        if torch.is_autocast_enabled('cpu'):
            return False
        mkldnn = torch.backends.mkldnn
        return bool(mkldnn.is_available() and mkldnn.enabled) and type(x) is Tensor

    def __getstate__(self) -> dict[str, Any]:
        """Omit the packed kernel, which can be neither copied nor saved."""
        state = self.__dict__.copy()
        state.pop('packed', None)
        return state


class PackedConv2dSame(PackedConv2d, Conv2dSame):
    """`Conv2dSame`, packed."""

    def _convolve(self, x: Tensor, padding: Any, geometry: Geometry | None) -> Tensor:
        return super()._convolve(self.pad(x), padding, geometry)


class PackedDepthwiseConv2d(PackedConv2d, DepthwiseConv2d):
    """`DepthwiseConv2d`, packed."""

    def _convolve(self, x: Tensor, padding: Any, geometry: Geometry | None) -> Tensor:
        geometry = fast_geometry(x, self.weight, self.stride, self.padding_for(x), self.dilation)
        if geometry is None:
            return super()._convolve(self.pad(x), padding, None)
        return super()._convolve(x, [axis.after for axis in geometry], geometry)


CLASSES: dict[type[nn.Module], type[PackedConv2d]] = {
    nn.Conv2d: PackedConv2d,
    Conv2dSame: PackedConv2dSame,
    DepthwiseConv2d: PackedDepthwiseConv2d,
}


def pack_conv(conv: nn.Conv2d, act: nn.Module | None = None) -> PackedConv2d:
    """Build a packed convolution with the same parameters and the activation after it.

    Args:
        conv: A convolution that `can_pack` accepts.
        act: An activation that `can_absorb` accepts, or None.
    """
    cls = CLASSES[type(conv)]
    made = cls.__new__(cls)
    made.__dict__.update(conv.__dict__)
    made._modules = {'act': act}
    return made


def _post_op(act: nn.Module | None) -> tuple[str, list[float], str]:
    """Return an activation's name, numbers and algorithm for `_convolution_pointwise`."""
    if act is None:
        return 'none', [], ''
    numbers = [act.min_val, act.max_val] if isinstance(act, nn.ReLU6) else []
    return NAMES[type(act)], numbers, ''


def can_pack(conv: Any) -> bool:
    """Whether this is a dense or depthwise convolution that pads with zeros."""
    return (
        type(conv) in CLASSES
        and conv.groups in (1, conv.in_channels)
        and conv.padding_mode == 'zeros'
        and not isinstance(conv.padding, str)
        and _is_unmodified(conv)
    )


def can_absorb(act: Any) -> bool:
    """Whether a packed convolution can apply this activation."""
    return type(act) in NAMES and _is_unmodified(act)


def _is_unmodified(module: nn.Module) -> bool:
    """Whether the instance's `forward` is not overridden and it has no hooks."""
    return 'forward' not in vars(module) and not has_hooks(module)
