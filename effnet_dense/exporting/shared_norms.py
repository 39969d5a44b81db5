"""Norms of each level after a convolution that all levels share, as products and sums.

Folded, each level would have a copy of the convolution in the file: 126 instead of 51 MB for
RetinaNet with 80 classes. ONNX Runtime and OpenVINO fold them when they load a file.

Shapes: N images, C channels, h × w cells of a level.
"""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

from mmcv.cnn import ConvModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from effnet_dense.models.efficientdet_head import EfficientDetHead


class ScaleShift(nn.Module):
    """A batch norm in eval mode, as one product and one sum.

    Args:
        norm: The norm.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, norm: Any) -> None:
        super().__init__()
        scale = (norm.running_var + norm.eps).rsqrt()
        scale = scale if norm.weight is None else scale * norm.weight
        shift = -norm.running_mean * scale
        shift = shift if norm.bias is None else shift + norm.bias
        self.register_buffer('scale', scale.detach()[:, None, None])
        self.register_buffer('shift', shift.detach()[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) → the same shape."""
        return x * self.scale + self.shift


def scale_and_shift(model: nn.Module) -> nn.Module:
    """Copy a model, with products and sums for the norms that levels have of a shared convolution.

    `deployment.deploy.folded` leaves them as they are.
    """
    model = copy.deepcopy(model)
    blocks: list[Any] = [m for m in model.modules() if type(m) is ConvModule]
    owners = Counter(id(block.conv) for block in blocks)
    for block in blocks:
        if owners[id(block.conv)] > 1 and block.with_norm and _is_constant(block.norm):
            setattr(block, block.norm_name, ScaleShift(block.norm))
    heads: list[Any] = [m for m in model.modules() if isinstance(m, EfficientDetHead)]
    for norms in (each for head in heads for each in (*head.cls_norms, *head.reg_norms)):
        for level, norm in enumerate(norms):
            if _is_constant(norm):
                norms[level] = ScaleShift(norm)
    return model


def _is_constant(norm: Any) -> bool:
    return isinstance(norm, _BatchNorm) and norm.running_mean is not None
