"""Convolutions that keep their kernel in oneDNN's own order, for inference on CPUs.

torch's convolution orders the kernel anew in every pass, in deep stages a tenth of its time. And
an activation is a pass of its own over the largest features, where the convolution before it has
the values at hand.

Letters: N images, C channels in, D channels out, H × W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from effnet_dense.lean.gated import has_hooks
from effnet_dense.models.layers import Conv2dSame, DepthwiseConv2d
from effnet_dense.ops.depthwise import Sides, led

# oneDNN's names of activations, as torch.ops.mkldnn takes them.
NAMES: dict[type[nn.Module], str] = {
    nn.SiLU: 'swish',
    nn.ReLU: 'relu',
    nn.ReLU6: 'hardtanh',
    nn.Hardswish: 'hardswish',
}


@dataclass(frozen=True)
class Packed:
    """A kernel in oneDNN's order, and what it was made of.

    The weight is kept, so that nothing else can lie at its address.
    """

    kernel: Tensor
    weight: Tensor
    version: int
    sides: Sides | None

    def is_of(self, weight: Tensor, sides: Sides | None) -> bool:
        """Whether it is this weight's, as it is now, led by the zeros of `sides`."""
        same = self.weight.data_ptr() == weight.data_ptr() and self.version == weight._version
        return same and self.sides == sides


class PackedConv2d(nn.Conv2d):
    """torch's convolution and an activation, the same parameters and results, on CPUs faster.

    That is in float32. Elsewhere, in a trace, under torch.compile (which does this by itself), and
    where gradients are asked for, both run as they are.
    """

    act: nn.Module | None
    # Replaced as a whole, since threads may share a model.
    packed: Packed | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, D, H', W')."""
        if not self._can_pack(x):
            x = super().forward(x)
            return x if self.act is None else self.act(x)
        return self._convolve(x, self.padding, None)

    def _convolve(self, x: Tensor, padding: Any, sides: Sides | None) -> Tensor:
        """Convolve with the packed kernel, which is led by zeros if there are `sides`."""
        shape = list(padding), list(self.stride), list(self.dilation), self.groups
        packed = self.packed
        if packed is None or not packed.is_of(self.weight, sides):
            weight = self.weight.detach()
            kernel = torch.ops.mkldnn._reorder_convolution_weight(
                weight if sides is None else led(weight, sides), *shape, list(x.shape)
            )
            packed = self.packed = Packed(kernel, weight, weight._version, sides)
        return torch.ops.mkldnn._convolution_pointwise(
            x, packed.kernel, self.bias, *shape, *_post_op(self.act)
        )

    def _can_pack(self, x: Tensor) -> bool:
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.jit.is_tracing():
            return False
        if x.device.type != 'cpu' or x.dtype != torch.float32 or x.dim() != 4 or not x.numel():
            return False
        # Changes of an inference tensor are counted nowhere.
        if self.weight.dtype != torch.float32 or self.weight.is_inference():
            return False
        if torch.is_autocast_enabled('cpu'):
            return False
        mkldnn = torch.backends.mkldnn
        return bool(mkldnn.is_available() and mkldnn.enabled) and type(x) is Tensor

    def __getstate__(self) -> dict[str, Any]:
        """Without the packed kernel, which can be neither copied nor saved."""
        state = self.__dict__.copy()
        state.pop('packed', None)
        return state


class PackedConv2dSame(PackedConv2d, Conv2dSame):
    """`Conv2dSame`, packed."""

    def _convolve(self, x: Tensor, padding: Any, sides: Sides | None) -> Tensor:
        return super()._convolve(self.pad(x), padding, sides)


class PackedDepthwiseConv2d(PackedConv2d, DepthwiseConv2d):
    """`DepthwiseConv2d`, packed."""

    def _convolve(self, x: Tensor, padding: Any, sides: Sides | None) -> Tensor:
        if not self.is_quick(x):
            return super()._convolve(self.pad(x), padding, None)
        sides = self.sides(x)
        return super()._convolve(x, [side.after for side in sides], sides)


CLASSES: dict[type[nn.Module], type[PackedConv2d]] = {
    nn.Conv2d: PackedConv2d,
    Conv2dSame: PackedConv2dSame,
    DepthwiseConv2d: PackedDepthwiseConv2d,
}


def pack_conv(conv: nn.Conv2d, act: nn.Module | None = None) -> PackedConv2d:
    """A convolution that `packs` allows, with the same parameters, and what it is followed by.

    Args:
        act: An activation that `joins` allows, or None.
    """
    cls = CLASSES[type(conv)]
    made = cls.__new__(cls)
    made.__dict__.update(conv.__dict__)
    made._modules = {'act': act}
    return made


def _post_op(act: nn.Module | None) -> tuple[str, list[float], str]:
    """What `_convolution_pointwise` is told of an activation: its name, numbers and algorithm."""
    if act is None:
        return 'none', [], ''
    numbers = [act.min_val, act.max_val] if isinstance(act, nn.ReLU6) else []
    return NAMES[type(act)], numbers, ''


def packs(conv: Any) -> bool:
    """Whether this is a convolution of all channels or of each, with zeros around."""
    return (
        type(conv) in CLASSES
        and conv.groups in (1, conv.in_channels)
        and conv.padding_mode == 'zeros'
        and not isinstance(conv.padding, str)
        and _is_its_class(conv)
    )


def joins(act: Any) -> bool:
    """Whether a convolution can do this activation."""
    return type(act) in NAMES and _is_its_class(act)


def _is_its_class(module: nn.Module) -> bool:
    """Nobody has put another `forward` into this very module, or waits for it to run."""
    return 'forward' not in vars(module) and not has_hooks(module)
