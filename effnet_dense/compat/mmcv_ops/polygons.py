"""Intersection areas of quadrilaterals, rotated boxes among them.

A polygon B is split into triangles. In a triangle's own coordinates (s, t), in which it is s ≥ 0,
t ≥ 0, s + t ≤ 1, Green's theorem turns its intersection with a polygon A into integrals along A's
edges: of relu(t) - relu(t + s - 1) by s within 0…1. Unlike the corners of the intersection, these
are continuous in all coordinates: equal, touching and flat polygons need no case of their own.

Shapes: P pairs. Polygons are (P, 4, 2), simple, of either orientation.
"""

from __future__ import annotations

import torch
from torch import Tensor


def rotated_corners(boxes: Tensor) -> Tensor:
    """Return the corners (K, 4, 2) of boxes (K, 5): centre x, y, width, height, angle.

    The angle in radians turns the x axis towards the y axis, clockwise in an image.
    """
    x, y, width, height, angle = boxes.unbind(1)
    cos, sin = angle.cos() / 2, angle.sin() / 2
    across = torch.stack((width * cos, width * sin), 1)
    down = torch.stack((-height * sin, height * cos), 1)
    corners = torch.stack((-across - down, across - down, across + down, down - across), 1)
    return torch.stack((x, y), 1)[:, None] + corners


def _cross(a: Tensor, b: Tensor) -> Tensor:
    """Return the cross products (…,) of vectors (…, 2)."""
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def areas(polygons: Tensor) -> Tensor:
    """Return the areas (P,)."""
    diagonals = polygons[:, 2:] - polygons[:, :2]
    return _cross(diagonals[:, 0], diagonals[:, 1]).abs() / 2


def _mean_relu(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean of relu over the numbers from a to b."""
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    crossing = (low < 0) & (high > 0)
    part = high * high / (2 * torch.where(crossing, high - low, 1))
    return torch.where(crossing, part, (low + high).clamp(min=0) / 2)


def _in_triangle(start: Tensor, end: Tensor) -> Tensor:
    """Return signed areas (P,) of polygons within the triangle (0, 0), (1, 0), (0, 1).

    start and end (P, 4, 2) are the polygons' edges.
    """
    s, t = start.unbind(-1)
    width = end[..., 0] - s
    first, last = s.clamp(0, 1), end[..., 0].clamp(0, 1)
    divisor = torch.where(width == 0, 1, width)
    t_first = torch.lerp(t, end[..., 1], (first - s) / divisor)
    t_last = torch.lerp(t, end[..., 1], (last - s) / divisor)
    below = _mean_relu(t_first, t_last) - _mean_relu(t_first + first - 1, t_last + last - 1)
    return ((first - last) * below).sum(1)


def intersections(a: Tensor, b: Tensor) -> Tensor:
    """Return the areas (P,) that polygons a and b have in common."""
    origin = b[:, :1]
    a, b = a - origin, b - origin
    total = a.new_zeros(len(a))
    for k in (1, 2):
        u, v = b[:, k, None], b[:, k + 1, None]
        determinant = _cross(u, v)
        divisor = torch.where(determinant == 0, 1, determinant)
        start = torch.stack((_cross(a, v) / divisor, _cross(u, a) / divisor), -1)
        total = total + determinant.abs()[:, 0] * _in_triangle(start, start.roll(-1, 1))
    return total.abs()
