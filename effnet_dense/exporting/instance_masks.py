"""Masks of the boxes that RTMDet-Ins keeps: a small network of its own kernels for each of them.

Shapes: N images, K candidates, M kept boxes, P priors, B prototypes, D parameters of a network.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from effnet_dense.exporting.decoding import take

REACH = 8
"""Strides of a prior's level by which mmdet divides distances from it."""


class DynamicMasks(nn.Module):
    """Compute mask logits as mmdet's RTMDetInsHead does, with fixed shapes.

    Args:
        head: The head.
        image_size: (H, W) that the network takes, in pixels.
    """

    priors: Tensor
    points: Tensor

    def __init__(self, head: Any, image_size: tuple[int, int]) -> None:
        super().__init__()
        self.weights, self.biases = head.weight_nums, head.bias_nums
        self.channels = head.dyconv_channels
        sides = [
            (image_size[0] // stride, image_size[1] // stride)
            for _, stride in head.prior_generator.strides
        ]
        priors = head.prior_generator.grid_priors(sides, device='cpu', with_stride=True)
        self.register_buffer('priors', torch.cat(priors).float())
        points = head.prior_generator.single_level_grid_priors(sides[0], level_idx=0, device='cpu')
        self.register_buffer('points', points.float())
        self.sides = sides[0]

    def forward(
        self, places: Tensor, candidate_priors: Tensor, kernels: Tensor, prototypes: Tensor
    ) -> Tensor:
        """Compute mask logits.

        Args:
            places: (N, M), positions among the candidates.
            candidate_priors: (N, K), positions among the priors.
            kernels: (N, P, D).
            prototypes: (N, B, h, w).

        Returns:
            (N, M, h, w), with the stride of the finest level.
        """
        chosen = candidate_priors.gather(1, places)
        priors = self.priors[chosen]
        distance = priors[:, :, None, :2] - self.points
        near = distance / (priors[:, :, None, 2:3] * REACH)  # (N, M, h · w, 2)
        shared = prototypes.flatten(2).transpose(1, 2)[:, None]
        values = torch.cat([near, shared.expand(-1, near.shape[1], -1, -1)], -1)
        parameters = take(kernels, chosen).split([*self.weights, *self.biases], -1)
        layers = len(self.weights)
        for index in range(layers):
            last = index == layers - 1
            outputs = 1 if last else self.channels
            weight = parameters[index].unflatten(-1, (outputs, -1))
            bias = parameters[layers + index]
            values = values @ weight.transpose(-1, -2) + bias[:, :, None]
            values = values if last else values.relu()
        return values[..., 0].unflatten(-1, self.sides)
