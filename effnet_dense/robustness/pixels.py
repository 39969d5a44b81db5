"""Between the network's inputs and pixels: radii, bounds and images, by the data preprocessor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from effnet_dense.evaluation.captions import ImageArray
from effnet_dense.robustness.attacks import Ball

LARGEST = 255.0
"""Value of a white pixel, of which radii are shares."""


def normalisation(preprocessor: Any) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of a data preprocessor: (1, C, 1, 1) each."""
    if getattr(preprocessor, '_enable_normalize', False):
        return preprocessor.mean[None], preprocessor.std[None]
    return torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)


def ball_around(preprocessor: Any, inputs: Tensor, samples: Sequence[Any], epsilon: float) -> Ball:
    """Return the inputs within ε of images.

    Args:
        preprocessor: Which normalised the images.
        inputs: (N, C, h, w).
        samples: With each image's height and width; what lies outside is padding and stays.
        epsilon: Radius in grey levels, of 255.
    """
    mean, std = (each.to(inputs) for each in normalisation(preprocessor))
    image = torch.zeros_like(inputs[:, :1])
    for mask, sample in zip(image, samples, strict=True):
        height, width = sample.img_shape[:2]
        mask[:, :height, :width] = 1
    return Ball(inputs, image * epsilon / std, -mean / std, (LARGEST - mean) / std)


def as_rgb(preprocessor: Any, inputs: Tensor, size: Sequence[int]) -> ImageArray:
    """Return an image (height, width, 3) in RGB of a network's input (C, h, w) with padding."""
    mean, std = (each.to(inputs)[0] for each in normalisation(preprocessor))
    pixels = (inputs * std + mean)[:, : size[0], : size[1]]
    names = ('_channel_conversion', 'channel_conversion')  # of mmengine and of mmseg
    exchanged = any(getattr(preprocessor, name, False) for name in names)
    array = pixels.detach().permute(1, 2, 0).float().cpu().numpy()
    rgb = array if exchanged else array[..., ::-1]
    return np.ascontiguousarray(np.clip(np.rint(rgb), 0, LARGEST).astype(np.uint8))
