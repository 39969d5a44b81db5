"""Join the detections in the tiles of an image, and in the image as a whole.

Boxes are compared only with those of places that touch theirs: an image of 100 megapixels has
100,000 boxes, of which no table of all pairs would fit into memory.

Shapes: K detections, of which O are in one place and N in it or in others that touch it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor
from torchvision.ops import box_area

from effnet_dense.inference.tiles import Window

EDGE = 2.0
"""Pixels from a border of a tile within which the side of a box lies on it."""
COVERED = 0.5
"""Share of a cut box within another one above which it is a part of the same object."""
SURE = 0.5
"""Share of a cut box's score that the other one must have."""
IOU = 0.5
"""Overlap above which boxes of one class are of the same object."""


def merged(whole: Any, tiles: Sequence[Any], windows: Sequence[Window]) -> Any:
    """Join the detections in an image and in its tiles.

    A box that a border within the image cuts is dropped if most of it lies in a box of the same
    class that no border cuts, and whose score is not far lower. Of the others, those that overlap
    are suppressed by their scores.

    Args:
        whole: The image's data sample on the CPU, whose detections are replaced.
        tiles: The data samples of its tiles.
        windows: Where they lie.

    Returns:
        `whole`, with detections by falling scores.
    """
    height, width = whole.ori_shape[:2]
    places: list[Window] = [(0, 0, width, height), *windows]
    found = [sample.pred_instances for sample in (whole, *tiles)]
    boxes = [each.bboxes + _corner(place) for each, place in zip(found, places, strict=True)]
    cut = torch.cat([_is_cut(*pair, height, width) for pair in zip(boxes, places, strict=True)])
    instances = InstanceData(
        bboxes=torch.cat(boxes),
        scores=torch.cat([each.scores for each in found]),
        labels=torch.cat([each.labels for each in found]),
    )
    order = instances.scores.argsort(descending=True, stable=True)
    ranks = order.argsort().split([len(each) for each in found])
    instances = instances[order]
    whole.pred_instances = instances[_kept(instances, cut[order], ranks, places)]
    return whole


def _corner(place: Window) -> Tensor:
    return torch.tensor([*place[:2], *place[:2]], dtype=torch.float32)


def _is_cut(boxes: Tensor, window: Window, height: int, width: int) -> Tensor:
    """Whether boxes (K, 4) end at a border of a tile that is none of the image: (K,)."""
    x1, y1, x2, y2 = window
    ends = (x1 > 0, x1, 1), (y1 > 0, y1, 1), (x2 < width, x2, -1), (y2 < height, y2, -1)
    found = torch.zeros(len(boxes), dtype=torch.bool)
    for column, (inside, border, sign) in enumerate(ends):
        if inside:
            found |= sign * (boxes[:, column] - border) < EDGE
    return found


def _kept(
    instances: InstanceData, cut: Tensor, ranks: Sequence[Tensor], places: Sequence[Window]
) -> Tensor:
    """Whether detections, by falling scores, are no parts of others and not suppressed: (K,).

    Args:
        instances: All of them.
        cut: (K,)
        ranks: Of the detections in each place, (O,).
        places: The image and its tiles.
    """
    boxes, scores, labels = instances.bboxes, instances.scores, instances.labels
    areas = box_area(boxes)
    part = torch.zeros(len(boxes), dtype=torch.bool)
    pairs = [torch.zeros((0, 2), dtype=torch.long)]
    for own, near in _neighbours(ranks, places):
        shared = _intersections(boxes[own], boxes[near]) * (labels[own][:, None] == labels[near])
        sure = ~cut[near] & (scores[near] >= SURE * scores[own][:, None])
        part[own] = cut[own] & (sure & (shared > COVERED * areas[own][:, None])).any(1)
        same = shared / (areas[own][:, None] + areas[near] - shared) > IOU
        lower, higher = (same & (near < own[:, None])).nonzero(as_tuple=True)
        pairs.append(torch.stack([near[higher], own[lower]], 1))
    return ~(part | _suppressed(torch.cat(pairs), part))


def _neighbours(
    ranks: Sequence[Tensor], places: Sequence[Window]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the ranks in each place (O,), and those in all places that touch it (N,)."""
    ends = torch.tensor(places)
    for own, place in zip(ranks, ends, strict=True):
        touching = ((ends[:, :2] < place[2:]) & (ends[:, 2:] > place[:2])).all(1)
        if len(own):
            yield own, torch.cat([ranks[index] for index in touching.nonzero()[:, 0]])


def _intersections(one: Tensor, other: Tensor) -> Tensor:
    """Return the common areas of boxes (O, 4) and (N, 4): (O, N)."""
    first = torch.maximum(one[:, None, :2], other[:, :2])
    return (torch.minimum(one[:, None, 2:], other[:, 2:]) - first).clamp(min=0).prod(2)


def _suppressed(pairs: Tensor, part: Tensor) -> Tensor:
    """Suppress what overlaps with a better detection that is kept (NMS): (K,).

    Args:
        pairs: Ranks of overlapping detections, the better one first, (P, 2).
        part: Whether detections do not count, (K,).
    """
    suppressed = part.tolist()
    for better, worse in pairs[pairs[:, 0].argsort()].tolist():
        suppressed[worse] |= not suppressed[better]
    return torch.tensor(suppressed, dtype=torch.bool)
