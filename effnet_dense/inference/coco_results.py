"""Convert predictions to COCO's results formats, https://cocodataset.org/#format-results.

Shapes: K detections, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmdet.evaluation import INSTANCE_OFFSET
from numpy.typing import NDArray
from pycocotools import mask as coco_mask


def detections(instances: Any, image_id: int, categories: Sequence[int]) -> Iterator[Any]:
    """Yield an entry per detection: its box as [x, y, width, height], its mask as RLE.

    Args:
        instances: bboxes (K, 4) as x1, y1, x2, y2; scores (K,); labels (K,); masks (K, H, W),
            optional.
        image_id: Id of the image.
        categories: Category id of each label.
    """
    boxes, scores = instances.bboxes.tolist(), instances.scores.tolist()
    masks = instances.masks.numpy() if 'masks' in instances else None
    for i, label in enumerate(instances.labels.tolist()):
        x1, y1, x2, y2 = boxes[i]
        entry = {
            'image_id': image_id,
            'category_id': categories[label],
            'bbox': [round(value, 3) for value in (x1, y1, x2 - x1, y2 - y1)],
            'score': round(scores[i], 6),
        }
        if masks is not None:
            entry['segmentation'] = run_lengths(masks[i])
        yield entry


def run_lengths(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Encode a mask (H, W) as COCO's compressed run lengths {'size': [H, W], 'counts': str}."""
    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {'size': list(encoded['size']), 'counts': encoded['counts'].decode('ascii')}


def segments(
    panoptic: NDArray[Any], categories: Sequence[int], things: int
) -> tuple[NDArray[np.int32], list[dict[str, Any]]]:
    """Convert mmdet's panoptic map (H, W) to a map of segment ids (H, W) and the segments' records.

    Args:
        panoptic: label + 1000 · instance; labels beyond the classes are void, whose id is 0.
        categories: Category id of each label.
        things: Number of thing classes, whose labels come first.
    """
    ids = np.zeros(panoptic.shape, np.int32)
    records: list[dict[str, Any]] = []
    for value in np.unique(panoptic).tolist():
        label = value % INSTANCE_OFFSET
        if label >= len(categories):
            continue
        mask = panoptic == value
        number = len(records) + 1
        ids[mask] = number
        records.append(
            {
                'id': number,
                'category_id': categories[label],
                'isthing': int(label < things),
                'area': int(mask.sum()),
                'bbox': _bounding_box(mask),
                'iscrowd': 0,
            }
        )
    return ids, records


def _bounding_box(mask: NDArray[np.bool_]) -> list[int]:
    """Return the box [x, y, width, height] around a mask (H, W) that is not empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = int(rows[0]), int(columns[0])
    return [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1]
