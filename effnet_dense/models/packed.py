"""Convolutions that keep their kernel in oneDNN's own order, for inference on CPUs.

torch's convolution orders the kernel anew in every pass, in deep stages a tenth of its time.

Letters: N images, C channels in, D channels out, H × W pixels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class PackedConv2d(nn.Conv2d):
    """A convolution with the same parameters and results, on CPUs in float32 faster.

    Elsewhere, in a trace, under torch.compile (which does this by itself), and where gradients are
    asked for, it is torch's.
    """

    packed: Tensor | None = None
    # What was packed, and its version. It is kept, so that nothing else can lie at its address.
    origin: tuple[Tensor, int] | None = None

    @classmethod
    def of(cls, conv: nn.Conv2d) -> PackedConv2d:
        """The same convolution, with the same parameters."""
        made = cls.__new__(cls)
        made.__dict__.update(conv.__dict__)
        return made

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, D, H', W')."""
        if not self._can_pack(x):
            return super().forward(x)
        around, stride, dilation = map(list, (self.padding, self.stride, self.dilation))
        if self.packed is None or not self._is_current():
            self.packed = torch.ops.mkldnn._reorder_convolution_weight(
                self.weight, around, stride, dilation, self.groups, list(x.shape)
            )
            self.origin = self.weight.detach(), self.weight._version
        return torch.ops.mkldnn._convolution_pointwise(
            *(x, self.packed, self.bias, around, stride, dilation, self.groups, 'none', [], '')
        )

    def _is_current(self) -> bool:
        if self.origin is None:
            return False
        packed, version = self.origin
        return packed.data_ptr() == self.weight.data_ptr() and version == self.weight._version

    def _can_pack(self, x: Tensor) -> bool:
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.jit.is_tracing():
            return False
        if x.device.type != 'cpu' or x.dtype != torch.float32 or x.dim() != 4 or not x.numel():
            return False
        if self.weight.dtype != torch.float32 or torch.is_autocast_enabled('cpu'):
            return False
        mkldnn = torch.backends.mkldnn
        return bool(mkldnn.is_available() and mkldnn.enabled) and type(x) is Tensor

    def __getstate__(self) -> dict[str, Any]:
        """Without the packed kernel, which can be neither copied nor saved."""
        state = self.__dict__.copy()
        state.pop('packed', None)
        state.pop('origin', None)
        return state


def packs(conv: nn.Module) -> bool:
    """Whether this is torch's convolution with zeros around, and a matrix product in the main."""
    return (
        type(conv) is nn.Conv2d
        and conv.groups == 1
        and conv.padding_mode == 'zeros'
        and not isinstance(conv.padding, str)
        and 'forward' not in vars(conv)
    )
