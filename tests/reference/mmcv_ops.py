"""Slow, obvious references in Python loops for mmcv's operators."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def iou(a: Tensor, b: Tensor, offset: int = 0) -> float:
    """Intersection over union of two boxes; 0 where neither has an area."""
    width = min(a[2], b[2]) - max(a[0], b[0]) + offset
    height = min(a[3], b[3]) - max(a[1], b[1]) + offset
    common = max(float(width), 0.0) * max(float(height), 0.0)
    area_a = float((a[2] - a[0] + offset) * (a[3] - a[1] + offset))
    area_b = float((b[2] - b[0] + offset) * (b[3] - b[1] + offset))
    union = area_a + area_b - common
    return common / union if union else 0.0


def nms(boxes: Tensor, scores: Tensor, threshold: float, offset: int) -> list[int]:
    """Greedy NMS, box by box."""
    kept: list[int] = []
    for index in scores.argsort(descending=True, stable=True).tolist():
        if all(iou(boxes[index], boxes[other], offset) <= threshold for other in kept):
            kept.append(index)
    return kept


def nms_match(dets: Tensor, threshold: float) -> list[list[int]]:
    """Each box that no better one suppresses, and those that it suppresses, box by box."""
    groups: list[list[int]] = []
    for index in dets[:, 4].argsort(descending=True, stable=True).tolist():
        for group in groups:
            first = dets[group[0]]
            has_union = bool(_area(first) or _area(dets[index]))
            if has_union and iou(first, dets[index]) >= threshold:
                group.append(index)
                break
        else:
            groups.append([index])
    return groups


def _area(box: Tensor) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def soft_nms(
    boxes: Tensor,
    scores: Tensor,
    threshold: float,
    sigma: float,
    min_score: float,
    method: str,
    offset: int,
) -> tuple[list[int], list[float]]:
    """Soft-NMS, box by box; returns indices and lowered scores."""
    left = dict(enumerate(scores.tolist()))
    taken, lowered = [], []
    while left:
        best = max(left, key=lambda index: left[index])
        taken.append(best)
        lowered.append(left.pop(best))
        for index in list(left):
            overlap = iou(boxes[best], boxes[index], offset)
            if method == 'gaussian':
                left[index] *= math.exp(-(overlap**2) / sigma)
            elif overlap >= threshold:
                left[index] *= 0.0 if method == 'naive' else 1 - overlap
            if left[index] < min_score:
                del left[index]
    return taken, lowered


def bilinear(feature: Tensor, y: float, x: float) -> Tensor:
    """Feature (C, H, W) at a point, RoIAlign's border rule: (C,)."""
    height, width = feature.shape[1:]
    if y < -1 or y > height or x < -1 or x > width:
        return feature.new_zeros(len(feature))
    y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    down, across = y - top, x - left
    return (
        feature[:, top, left] * (1 - down) * (1 - across)
        + feature[:, top, right] * (1 - down) * across
        + feature[:, bottom, left] * down * (1 - across)
        + feature[:, bottom, right] * down * across
    )


def roi_align(
    features: Tensor,
    rois: Tensor,
    size: tuple[int, int],
    scale: float,
    sampling_ratio: int,
    mode: str,
    aligned: bool,
    offset: Tensor | None = None,
    gamma: float = 0.1,
) -> Tensor:
    """RoIAlign, and with offset (R, 2, A, B) deformable RoI pooling: (R, C, A, B)."""
    output = features.new_zeros(len(rois), features.shape[1], *size)
    for r, roi in enumerate(rois.tolist()):
        x1, y1, x2, y2 = (v * scale - (0.5 if aligned else 0.0) for v in roi[1:])
        width, height = x2 - x1, y2 - y1
        if not aligned:
            width, height = max(width, 1.0), max(height, 1.0)
        bin_h, bin_w = height / size[0], width / size[1]
        rows = sampling_ratio or math.ceil(bin_h)
        columns = sampling_ratio or math.ceil(bin_w)
        for a in range(size[0]):
            for b in range(size[1]):
                top, left = y1 + a * bin_h, x1 + b * bin_w
                if offset is not None:
                    left += gamma * width * float(offset[r, 0, a, b])
                    top += gamma * height * float(offset[r, 1, a, b])
                values = [
                    bilinear(
                        features[int(roi[0])],
                        top + (i + 0.5) * bin_h / rows,
                        left + (j + 0.5) * bin_w / columns,
                    )
                    for i in range(rows)
                    for j in range(columns)
                ]
                if values:
                    stacked = torch.stack(values)
                    output[r, :, a, b] = stacked.amax(0) if mode == 'max' else stacked.mean(0)
    return output


def roi_pool(features: Tensor, rois: Tensor, size: tuple[int, int], scale: float) -> Tensor:
    """RoIPool as mmcv divides it: (R, C, A, B)."""
    height, width = features.shape[2:]
    output = features.new_zeros(len(rois), features.shape[1], *size)
    for r, roi in enumerate(rois.tolist()):
        x1, y1 = roi[1] * scale, roi[2] * scale
        x2, y2 = (roi[3] + 1) * scale, (roi[4] + 1) * scale
        if x2 <= x1 or y2 <= y1:
            continue
        bin_h, bin_w = (y2 - y1) / size[0], (x2 - x1) / size[1]
        for a in range(size[0]):
            for b in range(size[1]):
                top, bottom = math.floor(a * bin_h + y1), math.ceil((a + 1) * bin_h + y1)
                left, right = math.floor(b * bin_w + x1), math.ceil((b + 1) * bin_w + x1)
                top, bottom = max(top, 0), min(bottom, height)
                left, right = max(left, 0), min(right, width)
                if top < bottom and left < right:
                    window = features[int(roi[0]), :, top:bottom, left:right]
                    output[r, :, a, b] = window.flatten(1).amax(1)
    return output


def carafe(features: Tensor, masks: Tensor, kernel: int, groups: int, scale: int) -> Tensor:
    """CARAFE, pixel by pixel: (N, C, sH, sW)."""
    batch, channels, height, width = features.shape
    output = []
    for n in range(batch):
        for c in range(channels):
            group = c // (channels // groups)
            for y in range(height * scale):
                for x in range(width * scale):
                    total = features.new_zeros(())
                    for i in range(kernel):
                        for j in range(kernel):
                            row = y // scale + i - kernel // 2
                            column = x // scale + j - kernel // 2
                            if 0 <= row < height and 0 <= column < width:
                                tap = (group * kernel + i) * kernel + j
                                total = total + features[n, c, row, column] * masks[n, tap, y, x]
                    output.append(total)
    return torch.stack(output).view(batch, channels, height * scale, width * scale)


def psa_mask(relative: Tensor, collect: bool, size: tuple[int, int]) -> Tensor:
    """PSANet's masks, place by place: (N, H * W, H, W)."""
    batch, _, height, width = relative.shape
    output = relative.new_zeros(batch, height, width, height, width)
    for n in range(batch):
        for h in range(height):
            for w in range(width):
                for a in range(size[0]):
                    for b in range(size[1]):
                        y, x = h + a - (size[0] - 1) // 2, w + b - (size[1] - 1) // 2
                        if 0 <= y < height and 0 <= x < width:
                            value = relative[n, a * size[1] + b, h, w]
                            if collect:
                                output[n, y, x, h, w] = value
                            else:
                                output[n, h, w, y, x] = value
    return output.view(batch, height * width, height, width)


def ms_deform_attn(
    value: Tensor, shapes: list[tuple[int, int]], places: Tensor, weights: Tensor
) -> Tensor:
    """Multi-scale deformable attention, point by point: (N, Q, M * D)."""
    batch, _, heads, dim = value.shape
    queries, points = places.shape[1], places.shape[4]
    output = value.new_zeros(batch, queries, heads, dim)
    for n in range(batch):
        for m in range(heads):
            start = 0
            for level, (height, width) in enumerate(shapes):
                feature = value[n, start : start + height * width, m].T.view(dim, height, width)
                start += height * width
                # A border of zeros makes bilinear interpolation fade out, as attention does.
                feature = torch.nn.functional.pad(feature, (2, 2, 2, 2))
                for q in range(queries):
                    for p in range(points):
                        x = float(places[n, q, m, level, p, 0]) * width - 0.5
                        y = float(places[n, q, m, level, p, 1]) * height - 0.5
                        sampled = bilinear(feature, y + 2, x + 2)
                        output[n, q, m] += weights[n, q, m, level, p] * sampled
    return output.flatten(2)


def deform_conv(
    input: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    weight: Tensor,
    stride: int,
    padding: int,
    dilation: int,
    groups: int,
    deform_groups: int,
) -> Tensor:
    """Deformable convolution, pixel by pixel, zeros outside: (N, O, H, W)."""
    outputs, channels_in_group, kernel_h, kernel_w = weight.shape
    batch, channels = input.shape[:2]
    height, width = offset.shape[2:]
    margin = 40  # more than any offset reaches
    padded = torch.nn.functional.pad(input, (margin,) * 4)
    output = input.new_zeros(batch, outputs, height, width)
    for n in range(batch):
        for h in range(height):
            for w in range(width):
                column = input.new_zeros(channels, kernel_h * kernel_w)
                for c in range(channels):
                    group = c // (channels // deform_groups)
                    for tap in range(kernel_h * kernel_w):
                        index = group * kernel_h * kernel_w + tap
                        dy, dx = offset[n, 2 * index, h, w], offset[n, 2 * index + 1, h, w]
                        y = h * stride - padding + tap // kernel_w * dilation + float(dy)
                        x = w * stride - padding + tap % kernel_w * dilation + float(dx)
                        value = bilinear(padded[n, c : c + 1], y + margin, x + margin)[0]
                        column[c, tap] = value if mask is None else value * mask[n, index, h, w]
                for o in range(outputs):
                    first = o // (outputs // groups) * channels_in_group
                    chosen = column[first : first + channels_in_group]
                    output[n, o, h, w] = (weight[o].flatten(1) * chosen).sum()
    return output
