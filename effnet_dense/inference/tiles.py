"""Detect objects in the tiles of a large image, as well as in the image as a whole.

A detector resizes images to the size it was trained with, in which the small objects of a large
image have few pixels. In a tile they keep their size; what is larger than a tile is found in the
whole image (slicing-aided inference, Akyon et al. 2022, arXiv:2202.06934).

Shapes: K detections.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmdet.models.detectors import BaseDetector
from mmengine.structures import InstanceData
from torch import Tensor
from torchvision.ops import batched_nms, box_area

from effnet_dense.engine.checks.numbers import check_share

EDGE = 2.0
"""Pixels from a border of a tile within which the side of a box lies on it."""
COVERED = 0.5
"""Share of a cut box within another one above which it is a part of the same object."""
SURE = 0.5
"""Share of a cut box's score that the other one must have."""
IOU = 0.5
"""Overlap above which boxes of one class are of the same object."""

Window = tuple[int, int, int, int]
"""x1, y1, x2, y2 in pixels."""


class Tiling(NamedTuple):
    """How images are cut.

    Attributes:
        side: Of a square tile in pixels.
        overlap: Of neighbouring tiles, as a share of the side. Objects up to this size are complete
            in one of them.
    """

    side: int
    overlap: float = 0.2

    def check(self) -> None:
        """Check the values.

        Raises:
            ValueError: One is impossible.
        """
        if self.side < 32:
            raise ValueError(f'expected tiles of at least 32 pixels, got {self.side}')
        check_share('overlap', self.overlap)
        if self.overlap > 0.9:
            raise ValueError(f'expected an overlap of at most 0.9, got {self.overlap}')

    def windows(self, height: int, width: int) -> list[Window]:
        """Return the tiles of an image, row by row; none if it is no larger than one."""
        if max(height, width) <= self.side:
            return []
        rows, columns = self._starts(height), self._starts(width)
        return [
            (x, y, min(x + self.side, width), min(y + self.side, height))
            for y in rows
            for x in columns
        ]

    def _starts(self, length: int) -> list[int]:
        """Return where tiles start along one side; the last one ends with the image."""
        last = length - self.side
        if last <= 0:
            return [0]
        step = max(1, round(self.side * (1 - self.overlap)))
        return [*range(0, last, step), last]


def check_boxes(model: Any) -> None:
    """Check that a model finds boxes, and nothing else.

    Args:
        model: A model of mmdet or mmseg, or an `ExportedModel`.

    Raises:
        ValueError: It is of another kind.
    """
    session, head = getattr(model, 'session', None), getattr(model, 'bbox_head', None)
    if session is not None:
        boxes = session.metadata.task == 'detection'
    else:
        panoptic = hasattr(model, 'panoptic_fusion_head')
        masks = getattr(model, 'with_mask', False) or hasattr(head, 'mask_head') or panoptic
        boxes = isinstance(model, BaseDetector) and not masks
    if not boxes:
        raise ValueError(
            'tiles are for detectors of boxes, without masks; segmentors of mmseg have '
            f"test_cfg=dict(mode='slide', …) for large images; got {type(model).__name__}"
        )


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
        `whole`.
    """
    height, width = whole.ori_shape[:2]
    found, cut = [whole.pred_instances], [torch.zeros(len(whole.pred_instances), dtype=torch.bool)]
    for sample, window in zip(tiles, windows, strict=True):
        instances = sample.pred_instances
        boxes = instances.bboxes + instances.bboxes.new_tensor([*window[:2], *window[:2]])
        found.append(InstanceData(bboxes=boxes, scores=instances.scores, labels=instances.labels))
        cut.append(_is_cut(boxes, window, height, width))
    joined = {
        name: torch.cat([each[name] for each in found]) for name in ('bboxes', 'scores', 'labels')
    }
    everything = InstanceData(**joined)
    everything = everything[~_is_part(everything, torch.cat(cut))]
    kept = batched_nms(everything.bboxes, everything.scores, everything.labels, IOU)
    whole.pred_instances = everything[kept]
    return whole


def _is_cut(boxes: Tensor, window: Window, height: int, width: int) -> Tensor:
    """Whether boxes (K, 4) end at a border of a tile that is none of the image: (K,)."""
    x1, y1, x2, y2 = window
    ends = (x1 > 0, x1, 1), (y1 > 0, y1, 1), (x2 < width, x2, -1), (y2 < height, y2, -1)
    found = torch.zeros(len(boxes), dtype=torch.bool)
    for column, (inside, border, sign) in enumerate(ends):
        if inside:
            found |= sign * (boxes[:, column] - border) < EDGE
    return found


def _is_part(instances: InstanceData, cut: Tensor) -> Tensor:
    """Whether cut boxes lie in complete ones of their class: (K,)."""
    boxes, labels = instances.bboxes, instances.labels
    found = torch.zeros(len(boxes), dtype=torch.bool)
    complete = ~cut
    parts = cut.nonzero()[:, 0]
    if not len(parts) or not complete.any():
        return found
    one, other = boxes[parts][:, None], boxes[complete]
    ends = torch.minimum(one[..., 2:], other[:, 2:]) - torch.maximum(one[..., :2], other[:, :2])
    share = ends.clamp(min=0).prod(2) / box_area(boxes[parts]).clamp(min=1e-6)[:, None]
    same = labels[parts][:, None] == labels[complete]
    same &= instances.scores[complete] >= SURE * instances.scores[parts][:, None]
    found[parts] = ((share > COVERED) & same).any(1)
    return found
