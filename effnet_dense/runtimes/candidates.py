"""Boxes and logits of all priors → detections, in NumPy, for files that end with them.

Shapes: N images, P priors of an image over all levels, C classes, K candidates of an image, M
results of an image.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from effnet_dense.runtimes.metadata import Metadata
from effnet_dense.runtimes.suppression import Floats, Found, suppress

MARGIN = 0.01
"""Of logits, below which no sigmoid is computed: more than float32's rounding."""


def completed(
    outputs: dict[str, NDArray[Any]], sizes: Floats, metadata: Metadata
) -> dict[str, NDArray[Any]]:
    """Return a file's outputs, or the detections in them if it ends with all priors."""
    return detections(outputs, sizes, metadata) if metadata.post == 'dense' else outputs


def detections(
    outputs: dict[str, NDArray[Any]], sizes: Floats, metadata: Metadata
) -> dict[str, NDArray[Any]]:
    """Choose, clip and suppress, by the numbers of a file's metadata.

    Args:
        outputs: Of a file that was exported with post 'dense': boxes (N, P, 4), logits (N, P, C),
            and from heads with a centerness its logits (N, P, 1).
        sizes: (N, 2), height and width of each image without padding.
        metadata: The file's.

    Returns:
        Boxes (N, M, 4), scores (N, M) and labels (N, M) by descending score; -1 in unused rows.
    """
    nms, most = metadata.nms['nms'], metadata.nms['max_per_img']
    names = ('boxes', 'logits', 'centerness')
    given = [outputs[name] for name in names if name in outputs]
    found = [
        suppress(*candidates(*parts, size=size, metadata=metadata), nms, most)
        for *parts, size in zip(*given, sizes, strict=True)
    ]
    return {
        name: np.stack(values)
        for name, values in zip(
            ('boxes', 'scores', 'labels'), zip(*found, strict=True), strict=True
        )
    }


def candidates(
    boxes: Floats,
    logits: Floats,
    centerness: Floats | None = None,
    *,
    size: Floats,
    metadata: Metadata,
) -> Found:
    """Choose the best of an image, as `exporting.decoding` does.

    Args:
        boxes: (P, 4), of any extent.
        logits: (P, C).
        centerness: (P, 1), logits.
        size: (2,), height and width of the image without padding, where boxes end.
        metadata: With the numbers, and the levels.

    Returns:
        Boxes (K, 4), scores (K,) and labels (K,).
    """
    numbers, classes = metadata.nms, logits.shape[1]
    threshold = float(numbers.get('score_thr', 0.0))
    positions, start = [], 0
    for count in metadata.levels or [len(boxes)]:
        level = logits[start : start + count].ravel()
        positions.append(_best(level, threshold, numbers.get('nms_pre', -1)) + start * classes)
        start += count
    index = np.concatenate(positions)
    anchor, labels = np.divmod(index, classes)
    scores = sigmoid(logits.ravel()[index])
    height, width = size
    chosen = boxes[anchor].clip(0, np.array([width, height, width, height], np.float32))
    kept = scores > np.float32(threshold)
    smallest = numbers.get('min_bbox_size', -1)
    if smallest >= 0:
        kept &= (chosen[:, 2:] - chosen[:, :2] > smallest).all(1)
    if centerness is not None:
        scores = scores * sigmoid(centerness[anchor, 0])
    return chosen[kept], scores[kept], labels[kept]


def sigmoid(logits: Floats) -> Floats:
    """Return 1 ÷ (1 + exp(−logits)), in their type."""
    with np.errstate(over='ignore'):
        return np.reciprocal(1 + np.exp(-logits))


def _best(logits: Floats, threshold: float, most: int) -> NDArray[np.int64]:
    """Return the positions of the highest logits, best first, of a level's (P · C)."""
    index = np.arange(len(logits))
    if 0 < threshold < 1:
        index = np.flatnonzero(logits > math.log(threshold / (1 - threshold)) - MARGIN)
    if 0 < most < len(index):
        index = index[np.argpartition(-logits[index], most - 1)[:most]]
    return index[np.argsort(-logits[index], kind='stable')]
