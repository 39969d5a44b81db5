"""Channel attention for inference, which overwrites the feature that it weights.

Shapes: N images, C channels, H × W pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from effnet_dense.models.layers import SqueezeExcite


class InplaceSqueezeExcite(nn.Module):
    """`SqueezeExcite` that overwrites its input.

    It uses linear layers: PyTorch takes three times as long for a convolution of one pixel.
    """

    def __init__(self, se: SqueezeExcite) -> None:
        super().__init__()
        act = nn.Identity() if se.conv1.act is None else se.conv1.act
        self.layers = nn.Sequential(_linear(se.conv1.conv), act, _linear(se.conv2.conv))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → the same shape."""
        return self.scale(x, _means(x))

    def scale(self, x: Tensor, means: Tensor) -> Tensor:
        """(N, C, H, W), and its means over the image, (N, C) → the same shape."""
        gate = self.layers(means).sigmoid_()
        return x.mul_(gate[:, :, None, None])


def _means(x: Tensor) -> Tensor:
    """Average over the image: (N, C, H, W) → (N, C)."""
    if torch.compiler.is_compiling() and x.device.type == 'cpu':
        # inductor (torch 2.14) reduces eight channels at a time over the entire image, and so reads
        # it C ÷ 8 times from memory. A row stays in the cache.
        return x.mean(3).mean(2)
    return x.mean((2, 3))


def _linear(conv: nn.Conv2d) -> nn.Linear:
    """Build a linear layer that shares the tensors of a 1×1 convolution."""
    linear = nn.Linear(conv.in_channels, conv.out_channels, conv.bias is not None, device='meta')
    tensors = dict(weight=conv.weight.flatten(1))
    if conv.bias is not None:
        tensors['bias'] = conv.bias
    linear.load_state_dict(tensors, assign=True)
    return linear.requires_grad_(False)
