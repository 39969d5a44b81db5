"""Turn detections into annotations, to correct in an annotation tool or to train on.

Shapes: K detections, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

CORNERS = 3
"""Fewest corners of a polygon."""


def dataset_annotations(
    instances: Any, image_id: int, categories: Sequence[int], score_thr: float, first: int
) -> Iterator[dict[str, Any]]:
    """Yield an annotation in COCO's format for each detection at or above a score.

    Args:
        instances: bboxes (K, 4) as x1, y1, x2, y2; scores (K,); labels (K,); masks (K, H, W),
            optional. Empty masks and boxes without area are left out.
        image_id: Id of the image.
        categories: Category id of each label.
        score_thr: Lower scores are left out.
        first: Id of the first annotation.
    """
    boxes, scores, labels = (instances[key].tolist() for key in ('bboxes', 'scores', 'labels'))
    masks = instances.masks.numpy().astype(np.uint8) if 'masks' in instances else None
    for i, (x1, y1, x2, y2) in enumerate(boxes):
        if scores[i] < score_thr or x2 <= x1 or y2 <= y1:
            continue
        area, outlines = (x2 - x1) * (y2 - y1), []
        if masks is not None:
            area, outlines = int(masks[i].sum()), polygons(masks[i])
            if not outlines:
                continue
        yield {
            'id': first,
            'image_id': image_id,
            'category_id': categories[labels[i]],
            'bbox': [round(value, 3) for value in (x1, y1, x2 - x1, y2 - y1)],
            'area': round(area, 3),
            'iscrowd': 0,
            'segmentation': outlines,
            'score': round(scores[i], 6),
        }
        first += 1


def polygons(mask: NDArray[np.uint8]) -> list[list[float]]:
    """Return the outer outlines of a mask (H, W) as [x1, y1, x2, y2, …]; holes are filled.

    Annotation tools read polygons, few of them run lengths. An outline runs through the centres of
    the pixels at the mask's edge.
    """
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [each.reshape(-1).tolist() for each in found if len(each) >= CORNERS]
