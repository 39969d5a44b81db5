"""Adapt the first convolution of weights for RGB to images of another number of channels."""

from __future__ import annotations

import math
from collections.abc import Mapping

from mmengine.logging import print_log
from torch import Tensor

from effnet_dense.weights.translate import Translation

RGB = 3
STEM = 'layers.0.conv.weight'


def fit_input_channels(
    translation: Translation, own: Mapping[str, Tensor], in_channels: int
) -> None:
    """Adapt the stem's weights if they are for RGB and the model is not; other shapes stay.

    Args:
        translation: Its stem is replaced.
        own: The model's tensors.
        in_channels: Channels of the model's images.
    """
    for key, weight in translation.tensors.items():
        stem = key == STEM or key.endswith(f'.{STEM}')
        if not stem or key not in own or weight.ndim != 4 or weight.shape[1] != RGB:
            continue
        if in_channels != RGB and own[key].shape[1] == in_channels:
            translation.tensors[key] = adapt_input(weight, in_channels)
            print_log(
                f'the first convolution, of weights for RGB, is adapted to {in_channels} '
                f'channel{"s" if in_channels > 1 else ""}',
                logger='current',
            )


def adapt_input(weight: Tensor, in_channels: int) -> Tensor:
    """Adapt a convolution of RGB, as timm's `adapt_input_conv` does.

    Args:
        weight: (O, 3, K, K).
        in_channels: Number of channels. For one, the three are added, so that a grey image gives
            what it gives as RGB; for others they are repeated in their order and scaled by
            3 ÷ `in_channels`.

    Returns:
        (O, in_channels, K, K).
    """
    if in_channels == 1:
        return weight.float().sum(dim=1, keepdim=True).to(weight.dtype)
    repeated = weight.float().repeat(1, math.ceil(in_channels / RGB), 1, 1)[:, :in_channels]
    return (repeated * (RGB / in_channels)).to(weight.dtype)
