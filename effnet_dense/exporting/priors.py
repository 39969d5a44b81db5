"""Priors of a detector, computed from their positions.

Shapes: L levels, P priors over all levels, D numbers of a prior (4 of an anchor, 2 of a point).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from effnet_dense.models.anchors import EfficientDetAnchorGenerator


class Priors(nn.Module):
    """Compute priors from their positions: from the first cell's of each level, moved.

    A table of all would have 307 kB for EfficientDet at 320 × 320 pixels, a tenth of its weights
    in 8 bits.

    Args:
        generator: mmdet's or `EfficientDetAnchorGenerator`: priors are the same in every cell,
            but for a shift.
        sizes: (height, width) of each level, in cells.

    Attributes:
        counts: Number of each level's priors.
    """

    first_cells: Tensor
    first_rows: Tensor
    starts: Tensor
    numbers: Tensor
    widths: Tensor
    strides: Tensor

    def __init__(self, generator: Any, sizes: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        levels = generator.grid_priors(sizes, device='cpu')
        counts = torch.tensor([len(level) for level in levels])
        numbers = torch.tensor(generator.num_base_priors)
        cells = [level[:number] for level, number in zip(levels, numbers, strict=True)]
        own = isinstance(generator, EfficientDetAnchorGenerator)
        strides = generator.cells(sizes) if own else generator.strides
        self.counts: list[int] = counts.tolist()
        self.register_buffer('first_cells', torch.cat(cells).float())
        self.register_buffer('first_rows', numbers.cumsum(0) - numbers)
        self.register_buffer('starts', counts.cumsum(0) - counts)
        self.register_buffer('numbers', numbers)
        self.register_buffer('widths', torch.tensor([width for _, width in sizes]))
        self.register_buffer('strides', torch.tensor(strides).float())

    def forward(self, index: Tensor) -> Tensor:
        """Positions among the P priors, of any shape, → (…, D)."""
        level = (index[..., None] >= self.starts).sum(-1) - 1
        index = index - self.starts[level]
        number, width = self.numbers[level], self.widths[level]
        cell = torch.div(index, number, rounding_mode='floor')
        row = torch.div(cell, width, rounding_mode='floor')
        shift = torch.stack([cell - row * width, row], -1) * self.strides[level]
        first = self.first_cells[self.first_rows[level] + index - cell * number]
        return first + torch.cat([shift] * (first.shape[-1] // 2), -1)

    def all(self) -> Tensor:
        """Return all, (P, D)."""
        every: Tensor = self(torch.arange(sum(self.counts)))
        return every
