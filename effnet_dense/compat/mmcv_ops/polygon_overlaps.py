"""Overlaps of rotated boxes and of quadrilaterals, and non-maximum suppression by them.

Rotated boxes are (K, 5): centre x, y, width, height, angle in radians (`polygons.rotated_corners`);
quadrilaterals (K, 8): x and y of four corners, in order. Areas are computed in float64, and only
for pairs whose enclosing upright boxes overlap.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from effnet_dense.compat.mmcv_ops.polygons import areas, intersections, rotated_corners

# Boxes of a smaller area overlap nothing, as in mmcv.
MIN_AREA = 1e-14
# A common area that is a smaller fraction of the smaller box is a rounding error.
ROUNDING = 1e-9
# Parts in which enclosing boxes are compared, and pairs at a time, to bound the memory: 150 MB
PARTS = 8
MAX_PAIRS = 2**18


def _rotated(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the corners (K, 4, 2) and areas (K,) of rotated boxes (K, 5)."""
    boxes = boxes[:, :5].double()
    return rotated_corners(boxes), boxes[:, 2] * boxes[:, 3]


def _quadri(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the corners (K, 4, 2) and areas (K,) of quadrilaterals (K, 8)."""
    corners = boxes[:, :8].double().unflatten(1, (4, 2))
    return corners, areas(corners)


def _enclosing(corners: Tensor) -> Tensor:
    """Return the upright boxes (K, 4) around polygons."""
    return torch.cat((corners.amin(1), corners.amax(1)), 1)


def _candidates(corners1: Tensor, corners2: Tensor) -> Tensor:
    """Return (M, N), True for pairs whose enclosing boxes overlap."""
    boxes1, boxes2 = _enclosing(corners1)[:, None], _enclosing(corners2)
    return torch.cat(
        [
            ((part[..., :2] < boxes2[:, 2:]) & (boxes2[:, :2] < part[..., 2:])).all(-1)
            for part in boxes1.tensor_split(PARTS)
        ]
    )


def _pair_overlaps(
    polygons1: tuple[Tensor, Tensor],
    polygons2: tuple[Tensor, Tensor],
    index1: Tensor,
    index2: Tensor,
    mode: int,
) -> Tensor:
    """Return the overlaps (P,) of pairs index1, index2 (P,) of polygons, corners and areas."""
    results = []
    for i, j in zip(index1.split(MAX_PAIRS), index2.split(MAX_PAIRS), strict=True):
        common = intersections(polygons1[0][i], polygons2[0][j])
        area1, area2 = polygons1[1][i], polygons2[1][j]
        common = torch.where(common < ROUNDING * torch.minimum(area1, area2), 0, common)
        divisor = area1 + area2 - common if mode == 0 else area1
        flat = (area1 < MIN_AREA) | (area2 < MIN_AREA)
        results.append(torch.where(flat, 0, common / divisor))
    return torch.cat(results)


def _write_overlaps(
    polygons1: tuple[Tensor, Tensor],
    polygons2: tuple[Tensor, Tensor],
    ious: Tensor,
    mode: int,
    aligned: bool,
) -> None:
    """Write the overlaps of polygons, corners and areas, to ious."""
    if aligned:
        index = torch.arange(len(polygons1[1]), device=ious.device)
        ious.copy_(_pair_overlaps(polygons1, polygons2, index, index, mode))
        return
    pair = _candidates(polygons1[0], polygons2[0]).flatten().nonzero()[:, 0]
    count = max(len(polygons2[1]), 1)
    values = _pair_overlaps(polygons1, polygons2, pair // count, pair % count, mode)
    flat = ious.new_zeros(ious.numel()).index_copy_(0, pair, values.to(ious.dtype))
    ious.copy_(flat.view(ious.shape))


def box_iou_rotated(
    boxes1: Tensor, boxes2: Tensor, ious: Tensor, mode_flag: int, aligned: bool
) -> None:
    """Write the overlaps of rotated boxes (M, 5) and (N, 5) to ious: (M * N,), or (M,) if aligned.

    Args:
        mode_flag: 0 divides by the union, 1 ("intersection over foreground") by the first's area.
    """
    _write_overlaps(_rotated(boxes1), _rotated(boxes2), ious, mode_flag, aligned)


def box_iou_quadri(
    boxes1: Tensor, boxes2: Tensor, ious: Tensor, mode_flag: int, aligned: bool
) -> None:
    """Write the overlaps of quadrilaterals (M, 8) and (N, 8) to ious, see `box_iou_rotated`."""
    _write_overlaps(_quadri(boxes1), _quadri(boxes2), ious, mode_flag, aligned)


def _suppress(polygons: tuple[Tensor, Tensor], order: Tensor, iou_threshold: float) -> Tensor:
    """Return the indices of polygons that are kept, by descending score.

    The pairs above the threshold are found at once. Going through them in order is left to the
    host.

    Args:
        polygons: Corners and areas, in order.
        order: (K,), the boxes' indices.
        iou_threshold: A greater overlap suppresses.
    """
    if iou_threshold < 0:
        raise ValueError(f'iou_threshold must be at least 0, got {iou_threshold}')
    better, worse = _candidates(polygons[0], polygons[0]).triu(1).nonzero().unbind(1)
    above = _pair_overlaps(polygons, polygons, better, worse, 0) > iou_threshold
    table = torch.stack((better, worse, above.long())).cpu().numpy()
    better_index, worse_index = table[:2, table[2] > 0]
    ends = np.searchsorted(better_index, np.arange(len(order) + 1))
    kept = np.ones(len(order), dtype=bool)
    for index in np.unique(better_index):
        if kept[index]:
            kept[worse_index[ends[index] : ends[index + 1]]] = False
    return order[torch.from_numpy(np.flatnonzero(kept)).to(order.device)]


def nms_rotated(
    dets: Tensor,
    scores: Tensor,
    order: Tensor,
    dets_sorted: Tensor,
    labels: Tensor,
    iou_threshold: float,
    multi_label: int,
) -> Tensor:
    """Return kept rotated boxes' indices by descending score; a greater IoU suppresses.

    As in mmcv, labels change nothing: ``batched_nms`` keeps classes apart.

    Args:
        dets: (K, 5), unused: `dets_sorted` has the same boxes.
        scores: (K,), unused: `order` has their order.
        order: (K,), indices by descending score.
        dets_sorted: (K, 5), the boxes in this order; with labels (K, 6).
        labels: Unused.
        iou_threshold: At least 0.
        multi_label: Unused.
    """
    return _suppress(_rotated(dets_sorted), order, iou_threshold)


def nms_quadri(
    dets: Tensor,
    scores: Tensor,
    order: Tensor,
    dets_sorted: Tensor,
    iou_threshold: float,
    multi_label: int,
) -> Tensor:
    """Return kept quadrilaterals' indices: (K, 8), with labels (K, 9). See `nms_rotated`."""
    return _suppress(_quadri(dets_sorted), order, iou_threshold)
