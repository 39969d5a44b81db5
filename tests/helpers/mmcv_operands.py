"""Operands of mmcv's operators: random, seeded, with the borders that matter."""

from __future__ import annotations

import torch

# Inside; off every edge; smaller than a pixel; in the second image, odd sizes
ROIS = torch.tensor(
    [
        [0, 2.3, 1.1, 9.7, 12.4],
        [0, -4.0, -3.0, 30.0, 5.0],
        [1, 8.0, 8.0, 8.4, 8.2],
        [1, 0.5, 3.0, 17.3, 10.9],
        [0, 40.0, 40.0, 60.0, 50.0],
    ]
)

LEVEL_SHAPES = [(5, 4), (2, 3), (1, 1)]
TARGETS = torch.tensor([0, 3, 1, 4, 2, 4, 0])  # 4 is the background


def random_boxes(count: int, seed: int) -> torch.Tensor:
    """Boxes (count, 4), at least one pixel wide and high, corners in 0…81."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, generator=generator) * 50
    return torch.cat((corners, corners + 1 + torch.rand(count, 2, generator=generator) * 30), 1)


def scored_boxes(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The boxes of a seed with scores (count,)."""
    generator = torch.Generator().manual_seed(seed + 100)
    return random_boxes(count, seed), torch.rand(count, generator=generator)


def features(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Feature maps (2, 3, 7, 9) for `ROIS`."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 7, 9, generator=generator, dtype=dtype)


def roi_offsets(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Offsets of `ROIS` for 2 × 3 bins."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(len(ROIS), 2, 2, 3, generator=generator, dtype=dtype)


def attention_operands(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, ...]:
    """Random value, locations (some outside) and weights; 3 queries, 2 heads of 4, 2 points."""
    generator = torch.Generator().manual_seed(0)
    pixels = sum(height * width for height, width in LEVEL_SHAPES)
    value = torch.randn(2, pixels, 2, 4, generator=generator, dtype=dtype)
    places = torch.rand(2, 3, 2, len(LEVEL_SHAPES), 2, 2, generator=generator, dtype=dtype)
    weights = torch.rand(2, 3, 2, len(LEVEL_SHAPES), 2, generator=generator, dtype=dtype)
    return value, places * 1.6 - 0.3, weights


def carafe_operands(kernel: int, groups: int, scale: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Features (2, 4, 3, 5) and the masks of each upsampled pixel, in float64."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 4, 3, 5, generator=generator, dtype=torch.float64)
    shape = (2, groups * kernel * kernel, 3 * scale, 5 * scale)
    return features, torch.randn(shape, generator=generator, dtype=torch.float64)


def deform_conv_operands(
    geometry: tuple[int, ...], dtype: torch.dtype = torch.float32
) -> tuple[torch.Tensor, ...]:
    """Random input, offset, mask, weight and bias at an odd size, with a 3 × 2 kernel."""
    stride, padding, dilation, groups, deform_groups = geometry
    generator = torch.Generator().manual_seed(0)

    def randn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype)

    height = (7 + 2 * padding - dilation * 2 - 1) // stride + 1
    width = (6 + 2 * padding - dilation - 1) // stride + 1
    return (
        randn(2, 4, 7, 6),
        2 * randn(2, 2 * deform_groups * 6, height, width),
        randn(2, deform_groups * 6, height, width).sigmoid(),
        randn(4, 4 // groups, 3, 2),
        randn(4),
    )


def logits(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Logits (7, 4) for `TARGETS`."""
    return 3 * torch.randn(7, 4, generator=torch.Generator().manual_seed(0), dtype=dtype)
