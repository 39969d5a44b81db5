"""The anchors that EfficientDet's published weights were trained with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from torch import Tensor

from effnet_dense.registry import TASK_UTILS

ASPECTS = ((1.0, 1.0), (1.4, 0.7), (0.7, 1.4))


@TASK_UTILS.register_module()
class EfficientDetAnchorGenerator(AnchorGenerator):
    """Anchors given by width and height, in cells that divide the image evenly.

    They differ from mmdet's `AnchorGenerator` in two ways, by up to 5.8 pixels each: an aspect is
    a pair of factors, which √ratio only approximates, and a level's cell size is the image's size
    divided by the level's, for example 320 pixels ÷ 3 cells, not the stride of 128.
    Source: google/automl `tf2/anchors.py`, effdet `anchors.py`.

    Args:
        strides: Strides of the levels in pixels, finest first.
        aspects: (width, height) of each shape, as factors of the base size.
        octave_base_scale: Base size in cells.
        scales_per_octave: Sizes per level, each 2^(1 ÷ scales_per_octave) times the previous one.
    """

    def __init__(
        self,
        strides: Sequence[int],
        aspects: Sequence[Sequence[float]] = ASPECTS,
        octave_base_scale: float = 4,
        scales_per_octave: int = 3,
    ) -> None:
        self.aspects = tuple((float(width), float(height)) for width, height in aspects)
        super().__init__(
            strides=list(strides),
            ratios=[height / width for width, height in self.aspects],
            octave_base_scale=octave_base_scale,
            scales_per_octave=scales_per_octave,
            center_offset=0.5,
        )

    def grid_priors(
        self,
        featmap_sizes: Sequence[tuple[int, int]],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = 'cuda',
    ) -> list[Tensor]:
        """Place the anchors on an image with `strides[0]` pixels per cell of the finest level.

        Args:
            featmap_sizes: (H_l, W_l) of each level, finest first.

        Returns:
            For each level (H_l · W_l · A, 4), boxes (x1, y1, x2, y2) in pixels, ordered by row,
            column, size and aspect.

        Raises:
            ValueError: The numbers of levels and strides differ.
        """
        if len(featmap_sizes) != self.num_levels:
            raise ValueError(
                f'expected {self.num_levels} levels, one for each of the strides, '
                f'got {len(featmap_sizes)}'
            )
        sizes = self.scales.to(device)[:, None, None] * torch.tensor(self.aspects, device=device)
        priors = []
        for (rows, columns), sides in zip(featmap_sizes, self.cells(featmap_sizes), strict=True):
            cell = torch.tensor(sides, device=device)
            y, x = torch.meshgrid(
                torch.arange(rows, device=device),
                torch.arange(columns, device=device),
                indexing='ij',
            )
            centres = (torch.stack([x, y], -1) + 0.5) * cell
            halves = (sizes * cell / 2).reshape(-1, 2)
            centres = centres.reshape(-1, 1, 2)
            priors.append(torch.cat([centres - halves, centres + halves], -1).view(-1, 4).to(dtype))
        return priors

    def cells(self, featmap_sizes: Sequence[tuple[int, int]]) -> list[tuple[float, float]]:
        """Return the width and height of each level's cells, in pixels; see `grid_priors`."""
        height, width = (side * self.strides[0][0] for side in featmap_sizes[0])
        return [(width / columns, height / rows) for rows, columns in featmap_sizes]

    def gen_single_level_base_anchors(
        self,
        base_size: float,
        scales: Tensor,
        ratios: Tensor,
        center: tuple[float, float] | None = None,
    ) -> Tensor:
        """Return the first cell's anchors (A, 4), for square cells of `base_size` pixels."""
        sizes = (scales[:, None, None] * torch.tensor(self.aspects)).reshape(-1, 2)
        centre = torch.full((1, 2), self.center_offset)
        return torch.cat([centre - sizes / 2, centre + sizes / 2], -1) * base_size
