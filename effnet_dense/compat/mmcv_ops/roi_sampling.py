"""Bilinear sampling of feature maps inside regions of interest, as in RoIAlign.

A bin is averaged over a grid of samples; with sampling_ratio 0 their number adapts to the region,
about one per feature pixel. All samples of all regions lie in one list, so that the number of
calls does not depend on the number of regions.

Shapes: N images, C channels, R regions, A × B bins, Q = R * A * B, P samples of all bins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

# Samples at a time, about 500 MB; more are rare, a thousand regions of 60 × 60 feature pixels.
MAX_SAMPLES = 2**22


class Part(NamedTuple):
    """Some of the regions, and the number of samples that they have."""

    regions: slice
    samples: int


class Pool(NamedTuple):
    """An operator: `pool` maps features (N, C, H, W) and a part of the regions to (R, C, A, B).

    `samples` (R, 2) and `sampling_ratio` are the regions' numbers of samples, see `parts`.
    """

    pool: Callable[[Tensor, Part], Tensor]
    samples: Tensor
    sampling_ratio: int


class Regions(NamedTuple):
    """Regions in pixels of the feature map: tensors (R, 2), x and y, except `image` (R,)."""

    image: Tensor
    start: Tensor
    size: Tensor
    bins: Tensor
    samples: Tensor


class Grid(NamedTuple):
    """The samples of all bins: `bin`, `row` and `column` (P,), `counts` (Q,) of each bin.

    Samples are listed bin by bin, region by region, row by row. `row` and `column` are positions in
    the bin as fractions of its size.
    """

    bin: Tensor
    row: Tensor
    column: Tensor
    counts: Tensor


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
    return Regions(rois[:, 0].long(), start, size, bins, sample_counts(bins, sampling_ratio))


def sample_counts(bins: Tensor, sampling_ratio: int) -> Tensor:
    """Return the numbers of samples (R, 2) on each axis of bins of size (R, 2), x and y."""
    if sampling_ratio > 0:
        return torch.full_like(bins, sampling_ratio, dtype=torch.long)
    return bins.ceil().clamp(min=0).long()


def parts(
    samples: Tensor, bins: int, sampling_ratio: int, limit: int | None = None
) -> Iterator[Part]:
    """Yield the regions in parts of limited numbers of samples: one part unless they are many.

    Args:
        samples: (R, 2), the numbers of samples per bin on each axis.
        bins: Bins per region.
        sampling_ratio: All these numbers, if not 0: then the host need not wait for them.
        limit: Samples at a time, at most `MAX_SAMPLES`; a region that has more is a part of its
            own.
    """
    limit = MAX_SAMPLES if limit is None else min(limit, MAX_SAMPLES)
    if sampling_ratio > 0:
        each = bins * sampling_ratio**2
        step = max(limit // max(each, 1), 1)
        for start in range(0, max(len(samples), 1), step):
            end = min(start + step, len(samples))
            yield Part(slice(start, end), (end - start) * each)
        return
    total = (samples.prod(1) * bins).cumsum(0)
    last = int(total[-1]) if len(total) else 0
    ends = total.tolist() if last > limit else []
    first = before = 0
    for index, end in enumerate(ends):
        if end - before > limit and index > first:
            yield Part(slice(first, index), ends[index - 1] - before)
            first, before = index, ends[index - 1]
    yield Part(slice(first, len(total)), last - before)


def sample_grid(samples: Tensor, bins: int, total: int) -> Grid:
    """List the samples of regions with `bins` bins each.

    Args:
        samples: (R, 2), the numbers of samples per bin, x and y.
        bins: Bins per region.
        total: Number of all samples.
    """
    columns, rows = samples.repeat_interleave(bins, 0).unbind(1)
    counts = columns * rows
    bin = torch.arange(len(counts), device=counts.device)
    bin = bin.repeat_interleave(counts, output_size=total)
    index = torch.arange(total, device=counts.device) - (counts.cumsum(0) - counts)[bin]
    columns, rows = columns[bin], rows[bin]
    row, column = index // columns, index % columns
    return Grid(bin, (row + 0.5) / rows, (column + 0.5) / columns, counts)


def bin_starts(start: Tensor, bins: Tensor, pooled_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the top and left edges (R, A, B) of bins (R, 2) in regions from start (R, 2)."""
    height, width = pooled_size
    a = torch.arange(height, device=bins.device, dtype=bins.dtype)
    b = torch.arange(width, device=bins.device, dtype=bins.dtype)
    top = (start[:, 1:] + bins[:, 1:] * a)[:, :, None].expand(-1, height, width)
    left = (start[:, :1] + bins[:, :1] * b)[:, None].expand(-1, height, width)
    return top, left


def ordered(rois: Tensor, sampling_ratio: int) -> Tensor:
    """Return rois (R, 5) for torchvision's operators, with inverted ones (x2 < x1) made empty.

    With an adaptive number of samples they have none and pool to 0, as in mmcv's CUDA kernel;
    torchvision's CPU kernel fails on inverted ones.
    """
    if sampling_ratio > 0:
        return rois
    return torch.cat((rois[:, :3], torch.maximum(rois[:, 1:3], rois[:, 3:])), 1)


def corners(size: Sequence[int], plane: Tensor, y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the four pixels around points (P,) of planes (P,), and their weights, both (P, 4).

    A pixel's index counts row by row, plane by plane. Weights are 0 more than a pixel outside the
    map; within that pixel the border's value applies. They are differentiable by y and x.
    """
    height, width = size
    inside = (y >= -1) & (y <= height) & (x >= -1) & (x <= width)
    y, x = y.clamp(0, height - 1), x.clamp(0, width - 1)
    top, left = y.detach().floor(), x.detach().floor()
    down, right = y - top, x - left
    top, left = top.long(), left.long()
    first = (plane * height + top) * width
    second = (plane * height + (top + 1).clamp(max=height - 1)) * width
    beside = (left + 1).clamp(max=width - 1)
    index = torch.stack((first + left, first + beside, second + left, second + beside), 1)
    up, away = (1 - down) * inside, 1 - right
    down = down * inside
    return index, torch.stack((up * away, up * right, down * away, down * right), 1)


def pixels(features: Tensor) -> Tensor:
    """Return the features (N, C, H, W) as rows (N * H * W, C)."""
    return features.permute(0, 2, 3, 1).flatten(0, 2)


def bag_sums(rows: Tensor, index: Tensor, weight: Tensor, counts: Tensor) -> Tensor:
    """Return weighted sums of rows (…, C) over samples' four corners, bin by bin: (Q, C).

    Nothing of P × C elements is stored. Differentiable by rows and weight.

    Args:
        rows: See `pixels`.
        index: (P, 4), see `corners`.
        weight: (P, 4).
        counts: (Q,), the numbers of samples of each bin, in order.
    """
    offsets = 4 * (counts.cumsum(0) - counts)
    return F.embedding_bag(
        index.flatten(), rows, offsets, mode='sum', per_sample_weights=weight.flatten()
    )


def bin_means(features: Tensor, image: Tensor, grid: Grid, y: Tensor, x: Tensor) -> Tensor:
    """Return the means (Q, C) of features (N, C, H, W) at each bin's samples; 0 without samples.

    Args:
        features: The maps; differentiable.
        image: (Q,), the image of each bin.
        grid: The bins' samples.
        y: (P,), their positions; differentiable.
        x: (P,).
    """
    index, weight = corners(features.shape[2:], image[grid.bin], y, x)
    sums = bag_sums(pixels(features), index, weight, grid.counts)
    return sums / grid.counts.clamp(min=1)[:, None]


def write_pooled(operator: Pool, features: Tensor, output: Tensor) -> None:
    """Write pooled features (N, C, H, W) to output (R, C, A, B), part by part."""
    bins = output.shape[2] * output.shape[3]
    for part in parts(operator.samples, bins, operator.sampling_ratio):
        output[part.regions] = operator.pool(features, part).to(output.dtype)


def write_features_gradient(operator: Pool, grad_output: Tensor, grad_input: Tensor) -> None:
    """Add the gradient of the features, in which the operator is linear, to grad_input."""
    features = grad_output.new_zeros(grad_input.shape).requires_grad_()
    bins = grad_output.shape[2] * grad_output.shape[3]
    for part in parts(operator.samples, bins, operator.sampling_ratio):
        with torch.enable_grad():
            output = operator.pool(features, part)
        (grads,) = torch.autograd.grad(output, features, grad_output[part.regions])
        grad_input.add_(grads.to(grad_input.dtype))
