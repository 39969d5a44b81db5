"""Slow, obvious references in Python loops for mmcv's operators on rotated and other shapes."""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise

import torch
from torch import Tensor

from tests.reference.mmcv_ops import bilinear

Point = tuple[float, float]


def corners_of(box: Tensor) -> list[Point]:
    """The corners of a rotated box: centre x, y, width, height, angle."""
    x, y, width, height, angle = box.tolist()
    corners = []
    for across, down in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        u, v = across * width / 2, down * height / 2
        corners.append(
            (
                x + u * math.cos(angle) - v * math.sin(angle),
                y + u * math.sin(angle) + v * math.cos(angle),
            )
        )
    return corners


def signed_area(polygon: list[Point]) -> float:
    """The shoelace formula."""
    pairs = zip(polygon, polygon[1:] + polygon[:1], strict=True)
    return sum(a[0] * b[1] - a[1] * b[0] for a, b in pairs) / 2


def clip(polygon: list[Point], convex: list[Point]) -> list[Point]:
    """The part of a polygon inside a convex one with an area, cut off along its sides in turn."""
    if signed_area(convex) < 0:
        convex = convex[::-1]
    for p, q in zip(convex, convex[1:] + convex[:1], strict=True):
        sides = [(q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0]) for x, y in polygon]
        left: list[Point] = []
        for i, (x, y) in enumerate(polygon):
            j = (i + 1) % len(polygon)
            if sides[i] >= 0:
                left.append((x, y))
            if sides[i] * sides[j] < 0:
                t = sides[i] / (sides[i] - sides[j])
                left.append((x + t * (polygon[j][0] - x), y + t * (polygon[j][1] - y)))
        polygon = left
    return polygon


def polygon_iou(a: list[Point], b: list[Point], over_first: bool = False) -> float:
    """The overlap of a simple and a convex polygon; 0 where one has no area."""
    area_a, area_b = abs(signed_area(a)), abs(signed_area(b))
    if min(area_a, area_b) < 1e-14:
        return 0.0
    common = abs(signed_area(clip(a, b)))
    if common < 1e-9 * min(area_a, area_b):  # rounding
        common = 0.0
    return common / (area_a if over_first else area_a + area_b - common)


def polygon_nms(polygons: list[list[Point]], scores: Tensor, threshold: float) -> list[int]:
    """Greedy NMS, polygon by polygon."""
    kept: list[int] = []
    for index in scores.argsort(descending=True, stable=True).tolist():
        if all(polygon_iou(polygons[index], polygons[other]) <= threshold for other in kept):
            kept.append(index)
    return kept


def _mean(values: list[Tensor], channels: int) -> Tensor:
    return torch.stack(values).mean(0) if values else torch.zeros(channels, dtype=torch.float64)


def roi_align_rotated(
    features: Tensor,
    rois: Tensor,
    size: tuple[int, int],
    scale: float,
    ratio: int,
    aligned: bool,
    clockwise: bool,
) -> Tensor:
    """RoIAlign in rotated boxes, sample by sample: (R, C, A, B)."""
    output = features.new_zeros(len(rois), features.shape[1], *size)
    for r, (image, x, y, width, height, angle) in enumerate(rois.tolist()):
        x, y = x * scale, y * scale
        width, height = width * scale, height * scale
        if aligned:
            x, y = x - 0.5, y - 0.5
        else:
            width, height = max(width, 1.0), max(height, 1.0)
        if clockwise:
            angle = -angle
        rows, columns = ratio or math.ceil(height / size[0]), ratio or math.ceil(width / size[1])
        for a in range(size[0]):
            for b in range(size[1]):
                values = []
                for i in range(rows):
                    for j in range(columns):
                        v = ((a + (i + 0.5) / rows) / size[0] - 0.5) * height
                        u = ((b + (j + 0.5) / columns) / size[1] - 0.5) * width
                        values.append(
                            bilinear(
                                features[int(image)],
                                y + v * math.cos(angle) - u * math.sin(angle),
                                x + v * math.sin(angle) + u * math.cos(angle),
                            )
                        )
                output[r, :, a, b] = _mean(values, features.shape[1])
    return output


def bezier(points: list[list[float]], u: float) -> Point:
    """A cubic curve's point, by repeated linear interpolation."""
    while len(points) > 1:
        points = [
            [(1 - u) * p + u * q for p, q in zip(a, b, strict=True)] for a, b in pairwise(points)
        ]
    return points[0][0], points[0][1]


def bezier_align(
    features: Tensor,
    beziers: Tensor,
    size: tuple[int, int],
    scale: float,
    ratio: int,
    aligned: bool,
) -> Tensor:
    """BezierAlign, sample by sample: (R, C, A, B)."""
    output = features.new_zeros(len(beziers), features.shape[1], *size)
    for r, row in enumerate(beziers):
        points = (row[1:].view(8, 2) * scale).tolist()
        upper, lower = points[:4], points[:3:-1]
        width = max(abs(curve[0][0] - curve[3][0]) for curve in (upper, lower))
        height = max(abs(curve[0][1] - curve[3][1]) for curve in (upper, lower))
        if not aligned:
            width, height = max(width, 1.0), max(height, 1.0)
        bin_h, bin_w = height / size[0], width / size[1]
        rows, columns = ratio or math.ceil(bin_h), ratio or math.ceil(bin_w)
        for a in range(size[0]):
            for b in range(size[1]):
                top, bottom = bezier(upper, b / size[1]), bezier(lower, b / size[1])
                x, y = bezier([list(top), list(bottom)], a / size[0])
                x, y = (x - 0.5, y - 0.5) if aligned else (x, y)
                values = [
                    bilinear(
                        features[int(row[0])],
                        y + ((i + 0.5) / rows - 0.5) * bin_h,
                        x + ((j + 0.5) / columns - 0.5) * bin_w,
                    )
                    for i in range(rows)
                    for j in range(columns)
                ]
                output[r, :, a, b] = _mean(values, features.shape[1])
    return output


def active_rotated_filter(kernels: Tensor, indices: Tensor) -> Tensor:
    """Kernels in each rotation, entry by entry."""
    outputs, inputs, orientations, height, width = kernels.shape
    rotations = indices.shape[3]
    result = kernels.new_zeros(outputs, rotations, inputs, orientations * height * width)
    for o in range(outputs):
        for i in range(inputs):
            for d in range(orientations):
                for y in range(height):
                    for x in range(width):
                        for r in range(rotations):
                            place = int(indices[d, y, x, r]) - 1
                            result[o, r, i, place] = kernels[o, i, d, y, x]
    return result.view(outputs * rotations, inputs * orientations, height, width)


def point_in_box(point: list[float], box: list[float]) -> bool:
    """Whether a 3-D point is in a box that is turned about z; sides do not count."""
    x, y, z, length, width, height, angle = box
    turned = complex(point[0] - x, point[1] - y) * complex(math.cos(angle), -math.sin(angle))
    return (
        abs(turned.real) < length / 2
        and abs(turned.imag) < width / 2
        and z <= point[2] <= z + height
    )


def voxels_of(
    points: Tensor, size: list[float], limits: list[float], max_points: int, max_voxels: int
) -> dict[tuple[int, ...], list[int]]:
    """The points of each voxel (z, y, x), in order, point by point."""
    voxels: dict[tuple[int, ...], list[int]] = {}
    for index, point in enumerate(points[:, :3].tolist()):
        key = tuple(math.floor((point[d] - limits[d]) / size[d]) for d in (2, 1, 0))
        counts = [round((limits[3 + d] - limits[d]) / size[d]) for d in (2, 1, 0)]
        if not all(0 <= k < count for k, count in zip(key, counts, strict=True)):
            continue
        if key not in voxels and len(voxels) == max_voxels:
            continue
        members = voxels.setdefault(key, [])
        if len(members) < max_points:
            members.append(index)
    return voxels


def _neighbours(y: int, x: int, shape: torch.Size) -> list[tuple[int, int]]:
    around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
    return [(j, i) for j, i in around if 0 <= j < shape[0] and 0 <= i < shape[1]]


def contour_expand(masks: Tensor, labels: Tensor, min_area: int) -> Tensor:
    """PSENet's kernels grown from map to map, pixel by pixel."""
    labels = labels.clone()
    for label in labels.unique().tolist():
        if (labels == label).sum() < min_area:
            labels[labels == label] = 0
    queue = deque(map(tuple, labels.nonzero().tolist()))
    for mask in reversed(masks[:-1]):
        later = deque()
        while queue:
            y, x = queue.popleft()
            grew = False
            for j, i in _neighbours(y, x, labels.shape):
                if mask[j, i] and labels[j, i] == 0:
                    labels[j, i] = labels[y, x]
                    queue.append((j, i))
                    grew = True
            if not grew:
                later.append((y, x))
        queue = later
    return labels


def pixel_group(
    score: Tensor,
    mask: Tensor,
    embedding: Tensor,
    labels: Tensor,
    contour: Tensor,
    count: int,
    threshold: float,
) -> list[list[float]]:
    """PAN's pixels added to their kernels, pixel by pixel."""
    means = [embedding[labels == label].mean(0) for label in range(count)]
    labels = labels.clone()
    queue = deque(map(tuple, ((labels > 0) & (contour > 0)).nonzero().tolist()))
    while queue:
        y, x = queue.popleft()
        for j, i in _neighbours(y, x, labels.shape):
            near = (means[int(labels[y, x])] - embedding[j, i]).norm() < threshold
            if mask[j, i] and labels[j, i] == 0 and near:
                labels[j, i] = labels[y, x]
                queue.append((j, i))
    result: list[list[float]] = [[0.0, 0.0]]
    for label in range(1, count):
        members = (labels == label).nonzero()
        mean = float(score[labels == label].mean()) if len(members) else 0.0
        result.append([mean, float(len(members)), *members.flip(1).flatten().tolist()])
    return result
