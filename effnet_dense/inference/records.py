"""A data sample's predictions → entries in COCO's results formats.

https://cocodataset.org/#format-results. Letters: K detections, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

INSTANCE_OFFSET = 1000
"""mmdet's panoptic maps hold label + 1000 · number of the instance."""


def detections(instances: Any, image_id: int, categories: Sequence[int]) -> Iterator[Any]:
    """One entry for each detection: its box as [x, y, width, height], its mask as RLE.

    Args:
        instances: bboxes (K, 4) as x1, y1, x2, y2; scores (K,); labels (K,); masks (K, H, W) or
            none.
        image_id: The image's.
        categories: The id of each label.
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
    """A mask (H, W) as COCO's compressed run lengths: {'size': [H, W], 'counts': str}."""
    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {'size': list(encoded['size']), 'counts': encoded['counts'].decode('ascii')}


def segments(
    panoptic: NDArray[Any], categories: Sequence[int], things: int
) -> tuple[NDArray[np.int32], list[dict[str, Any]]]:
    """mmdet's panoptic map (H, W) → a map of ids (H, W), 0 for none, and each segment's record.

    Args:
        panoptic: label + 1000 · number of the instance; labels beyond the classes are no segment.
        categories: The id of each label.
        things: How many labels, the first ones, are things.
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
                'bbox': _bounds(mask),
                'iscrowd': 0,
            }
        )
    return ids, records


def _bounds(mask: NDArray[np.bool_]) -> list[int]:
    """The box [x, y, width, height] around a mask (H, W) that has a pixel."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = int(rows[0]), int(columns[0])
    return [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1]
