"""RoIPool (Girshick 2015, arXiv:1504.08083) with mmcv's bins.

torchvision rounds a region to pixels and then divides it into bins; mmcv divides first, and
includes the last pixel of a region. So every bin of mmcv's is passed to torchvision's operator as a
region of its own, with a single bin. Groups of channels are pooled one after the other: their maps
stay in the cache, and only a group's results exist twice.

Shapes: N images, C channels, R regions, A × B bins.
"""

from __future__ import annotations

import torch
from torch import Tensor

from effnet_dense.ops.precision import at_least_float32

# Into how many parts the work is divided, whatever the number of regions
PARTS = 16


def _channel_groups(channels: int) -> int:
    """Return the largest number of equal groups up to `PARTS`."""
    return max(count for count in range(1, PARTS + 1) if channels % count == 0)


def _bins(start: Tensor, end: Tensor, bins: int, limit: int) -> tuple[Tensor, Tensor]:
    """Return the first pixel of each bin and the one after its last, both (R, bins), in the map.

    A region without area has empty bins.
    """
    size = end - start
    index = torch.arange(bins, device=start.device, dtype=start.dtype)
    step = (size / bins)[:, None]
    first = (index * step + start[:, None]).floor().clamp(0, limit)
    last = ((index + 1) * step + start[:, None]).ceil().clamp(0, limit)
    return first, torch.where(size[:, None] > 0, last, first)


def _bin_regions(
    boxes: Tensor, spatial_scale: float, pooled: tuple[int, int], size: tuple[int, int]
) -> Tensor:
    """Return bins as rois (R * A * B, 5) in pixels of maps of `size`, the last pixel included.

    An empty bin starts at the map's end, where torchvision finds no pixel.
    """
    start, end = boxes[:, 1:3] * spatial_scale, (boxes[:, 3:] + 1) * spatial_scale
    top, bottom = _bins(start[:, 1], end[:, 1], pooled[0], size[0])
    left, right = _bins(start[:, 0], end[:, 0], pooled[1], size[1])
    top, bottom = (edge[:, :, None].expand(-1, *pooled) for edge in (top, bottom))
    left, right = (edge[:, None, :].expand(-1, *pooled) for edge in (left, right))
    empty = (top >= bottom) | (left >= right)
    top, left = top.masked_fill(empty, size[0]), left.masked_fill(empty, size[1])
    image = boxes[:, :1, None].expand_as(top)
    return torch.stack((image, left, top, right - 1, bottom - 1), -1).flatten(0, 2)


def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Write the maxima of input (N, C, H, W) to output and their indices to argmax (R, C, A, B).

    rois (R, 5) are image index and x1, y1, x2, y2, the last pixel included. An empty bin has the
    value 0 at index -1.
    """
    (features,) = at_least_float32(input.contiguous())
    (boxes,) = at_least_float32(rois)
    groups, size = _channel_groups(input.shape[1]), (input.shape[2], input.shape[3])
    images = features.view(len(input) * groups, -1, *size) if features.numel() else features
    roi_parts = -(-PARTS // groups)
    split = zip(
        *(tensor.tensor_split(roi_parts) for tensor in (boxes, output, argmax)), strict=True
    )
    for part, *outputs in split:
        bins = _bin_regions(part, spatial_scale, (pooled_height, pooled_width), size)
        bins = bins.to(features.dtype)
        bins[:, 0] *= groups  # a group of channels is an image of its own
        for destinations in zip(
            *(tensor.tensor_split(groups, 1) for tensor in outputs), strict=True
        ):
            _write_maxima(images, bins, destinations)
            bins[:, 0] += 1


def _write_maxima(features: Tensor, bins: Tensor, destinations: tuple[Tensor, ...]) -> None:
    """Write the maxima of features in bins (R * A * B, 5) and their indices, both (R, C, A, B)."""
    results = torch.ops.torchvision.roi_pool(features, bins, 1.0, 1, 1)
    for destination, result in zip(destinations, results, strict=True):
        regions, channels, *pooled = destination.shape
        destination.copy_(result.view(regions, *pooled, channels).permute(0, 3, 1, 2))


def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Add the gradient of output (R, C, A, B) to grad_input (N, C, H, W) where the maxima were."""
    grad, boxes = at_least_float32(grad_output, rois)
    pooled = (pooled_height, pooled_width)
    split = zip(
        *(tensor.tensor_split(PARTS, 1) for tensor in (grad, argmax, grad_input)), strict=True
    )
    for part, index, destination in split:
        if grad.is_cuda and torch.are_deterministic_algorithms_enabled():
            _add_in_order(part, boxes[:, 0].long(), index, destination)
            continue
        grads = torch.ops.torchvision._roi_pool_backward(
            part, boxes, index.contiguous(), spatial_scale, *pooled, *destination.shape
        )
        destination.add_(grads.to(destination.dtype))


def _add_in_order(grad: Tensor, image: Tensor, argmax: Tensor, grad_input: Tensor) -> None:
    """Add the gradient in a fixed order, for which torchvision's CUDA operator has no version.

    grad and argmax are (R, C, A, B), image (R,), grad_input (N, C, H, W).
    """
    images, channels, height, width = grad_input.shape
    channel = torch.arange(channels, device=grad.device)
    plane = (image[:, None] * channels + channel)[..., None, None]
    pixel = (plane * (height * width) + argmax.clamp(min=0)).flatten()
    sums = grad.new_zeros(images * channels * height * width)
    sums.index_add_(0, pixel, grad.masked_fill(argmax < 0, 0).flatten())
    grad_input.add_(sums.view(grad_input.shape).to(grad_input.dtype))
