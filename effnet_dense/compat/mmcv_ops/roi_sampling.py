"""Bilinear sampling of feature maps inside regions of interest, as in RoIAlign.

A bin is averaged over a grid of samples; with sampling_ratio 0 their number adapts to the region,
about one per feature pixel.

Shapes: N images, C channels, R regions, P points.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

# Points sampled at a time, to bound the memory: a few times 32 MB with 256 channels
CHUNK_POINTS = 2**15


class Regions(NamedTuple):
    """Regions in pixels of the feature map: tensors (R, 2), x and y, except `image` (R,)."""

    image: Tensor
    start: Tensor
    size: Tensor
    bins: Tensor
    samples: Tensor


def regions(
    rois: Tensor,
    spatial_scale: float,
    pooled_size: tuple[int, int],
    sampling_ratio: int,
    aligned: bool,
) -> Regions:
    """Locate rois (R, 5), image index and x1, y1, x2, y2, on the feature map.

    Args:
        rois: In pixels of the image.
        spatial_scale: Feature pixels per image pixel.
        pooled_size: Bins per region, (height, width).
        sampling_ratio: Samples per bin along each axis, or 0.
        aligned: Shift by half a pixel, to pixel centres; else regions are at least one pixel.
    """
    corners = rois[:, 1:] * spatial_scale - (0.5 if aligned else 0.0)
    start, size = corners[:, :2], corners[:, 2:] - corners[:, :2]
    if not aligned:
        size = size.clamp(min=1)
    bins = size / size.new_tensor(pooled_size[::-1])
    if sampling_ratio > 0:
        samples = torch.full_like(bins, sampling_ratio, dtype=torch.long)
    else:
        samples = bins.ceil().clamp(min=0).long()
    return Regions(rois[:, 0].long(), start, size, bins, samples)


def chunks(all_regions: Regions, bins: int) -> Iterator[tuple[Tensor, Regions]]:
    """Yield the indices of regions with equal numbers of samples, and these regions.

    Args:
        all_regions: Regions with any numbers of samples.
        bins: Bins per region.
    """
    grids, group = torch.unique(all_regions.samples, dim=0, return_inverse=True)
    for number, samples in enumerate(grids.prod(1).tolist()):
        size = max(CHUNK_POINTS // max(bins * samples, 1), 1)
        for members in (group == number).nonzero()[:, 0].split(size):
            yield members, Regions(*(field[members] for field in all_regions))


def ordered(rois: Tensor, sampling_ratio: int) -> Tensor:
    """Return rois (R, 5) for torchvision's operators, with inverted ones (x2 < x1) made empty.

    With an adaptive number of samples they have none and pool to 0, as in mmcv's CUDA kernel;
    torchvision's CPU kernel fails on inverted ones.
    """
    if sampling_ratio > 0:
        return rois
    return torch.cat((rois[:, :3], torch.maximum(rois[:, 1:3], rois[:, 3:])), 1)


def sample_offsets(bins: Tensor, pooled: int, samples: int) -> Tensor:
    """Return the samples' distances from the region's start on one axis: (R, pooled, samples).

    bins (R,) are the bins' sizes; a bin's samples are evenly spaced, half a step from its borders.
    """
    bin_index = torch.arange(pooled, device=bins.device, dtype=bins.dtype)[:, None]
    step = (torch.arange(samples, device=bins.device, dtype=bins.dtype) + 0.5) / max(samples, 1)
    return bins[:, None, None] * (bin_index + step)


def bilinear_sample(features: Tensor, image: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Return features (N, C, H, W) at points (P,) of images (P,): (P, C), differentiable.

    They are 0 more than a pixel outside the map, and the border's value within that pixel.
    """
    channels, height, width = features.shape[1:]
    inside = (y >= -1) & (y <= height) & (x >= -1) & (x <= width)
    y, x = y.clamp(0, height - 1), x.clamp(0, width - 1)
    top, left = y.detach().floor(), x.detach().floor()
    down, right = y - top, x - left
    pixels = features.permute(0, 2, 3, 1).reshape(-1, channels)

    def corner(row: Tensor, column: Tensor, weight: Tensor) -> Tensor:
        row, column = row.long().clamp(max=height - 1), column.long().clamp(max=width - 1)
        index = (image * height + row) * width + column
        return pixels.index_select(0, index) * (weight * inside)[:, None]

    return (
        corner(top, left, (1 - down) * (1 - right))
        + corner(top, left + 1, (1 - down) * right)
        + corner(top + 1, left, down * (1 - right))
        + corner(top + 1, left + 1, down * right)
    )
