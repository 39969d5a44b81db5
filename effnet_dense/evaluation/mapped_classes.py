"""Renumber the classes in predictions: a model's labels → those of the data.

Shapes: K objects, C classes of the model, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.evaluation.functional import INSTANCE_OFFSET
from mmengine.structures import PixelData
from torch import Tensor

NO_CLASS = 255
"""Label of pixels of a class that the data lacks."""


def map_sample(sample: Any, labels: Sequence[int], classes: int) -> Any:
    """Renumber the classes in a prediction.

    Args:
        sample: A DetDataSample or SegDataSample; is changed.
        labels: The data's label of each of the model's classes, -1 where the data lacks it: boxes
            and masks of such classes are removed, their pixels get 255, in panoptic maps `classes`.
        classes: The data's number of classes.

    Returns:
        The sample.
    """
    if 'pred_instances' in sample:
        found = sample.pred_instances
        mapped = mapped_labels(found.labels, labels, -1)
        found.labels = mapped
        sample.pred_instances = found[mapped >= 0]
    if 'pred_sem_seg' in sample:
        for key, values in sample.pred_sem_seg.items():
            if key in ('data', 'sem_seg'):
                mapped = mapped_labels(values, labels, NO_CLASS)
                sample.pred_sem_seg = PixelData(**{key: mapped})
    if 'seg_logits' in sample and len(sample.seg_logits.data) == len(labels):
        rows = [labels.index(label) for label in range(classes)]
        sample.seg_logits = PixelData(data=sample.seg_logits.data[rows])
    if 'pred_panoptic_seg' in sample:
        before = sample.pred_panoptic_seg.sem_seg
        kinds = mapped_labels(before % INSTANCE_OFFSET, labels, classes)
        instances = before - before % INSTANCE_OFFSET
        after = torch.where(kinds == classes, kinds, kinds + instances)
        sample.pred_panoptic_seg.sem_seg = after
    return sample


def mapped_labels(values: Tensor, labels: Sequence[int], other: int) -> Tensor:
    """Renumber a tensor of labels; those without a new one, or that are no class, get `other`."""
    table = torch.tensor([*labels, -1], device=values.device, dtype=torch.long)
    known = (values >= 0) & (values < len(labels))
    mapped = table[torch.where(known, values, len(labels)).long()]
    return torch.where(mapped < 0, other, mapped).to(values.dtype)
