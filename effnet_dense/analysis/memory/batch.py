"""Make synthetic training batches for detectors and segmentors.

Shapes: N images of H × W pixels; K objects in each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmdet.models import BaseDetector
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData, PixelData
from mmseg.models import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from effnet_dense.analysis.memory.image_size import Size

OBJECTS = 8
"""Objects per image by default; COCO has 7.3."""


def check_model_type(model: nn.Module) -> None:
    """Raise a ValueError unless the model is a detector or a segmentor."""
    if not isinstance(model, BaseDetector | BaseSegmentor):
        raise ValueError(
            "memory is predicted for mmdet's detectors and mmseg's segmentors, which take images; "
            f'got a {type(model).__name__}'
        )


def make_training_batch(model: nn.Module, count: int, size: Size, objects: int) -> dict[str, Any]:
    """Return what a data loader would: images and their ground truth.

    Args:
        model: An mmdet detector or an mmseg segmentor; the images are fake tensors where
            its parameters are.
        count: N.
        size: (H, W).
        objects: K, for detectors.
    """
    samples = [
        _segmentation_sample(size)
        if isinstance(model, BaseSegmentor)
        else _detection_sample(model, size, objects)
        for _ in range(count)
    ]
    like = next(model.parameters())
    channels = getattr(getattr(model, 'backbone', None), 'in_channels', 3)
    channels = channels if type(channels) is int else 3  # of other libraries' backbones
    images = [like.new_zeros((channels, *size), dtype=torch.uint8) for _ in range(count)]
    return dict(inputs=images, data_samples=samples)


def disable_resizing(model: nn.Module, size: Size) -> None:
    """Keep the data preprocessor from padding or resizing images of this size."""
    preprocessor: Any = model.data_preprocessor
    if isinstance(model, BaseSegmentor):
        preprocessor.size, preprocessor.size_divisor = size, None
    else:
        preprocessor.pad_size_divisor, preprocessor.batch_augments = 1, None


def _segmentation_sample(size: Size) -> SegDataSample:
    sample = SegDataSample(metainfo=dict(img_shape=size, ori_shape=size))
    sample.gt_sem_seg = PixelData(data=torch.zeros(1, *size, dtype=torch.long))
    return sample


def _detection_sample(model: Any, size: Size, objects: int) -> DetDataSample:
    meta = dict(img_id=0, img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0))
    sample = DetDataSample(metainfo=meta)
    truth = InstanceData(bboxes=_boxes(size, objects), labels=torch.zeros(objects).long())
    heads = ('mask_head', 'panoptic_head')
    if getattr(model, 'with_mask', False) or any(hasattr(model, head) for head in heads):
        truth.masks = BitmapMasks(np.ones((objects, *size), np.uint8), *size)
    sample.gt_instances = truth
    sample.ignored_instances = InstanceData(bboxes=_boxes(size, 0))
    return sample


def _boxes(size: Size, count: int) -> Tensor:
    """Return boxes (K, 4), xyxy: 5 % to 50 % of the image's sides, along its diagonal."""
    share = torch.linspace(0.05, 0.5, count)
    height, width = size
    sides = torch.tensor([width, height])
    corner = (share - 0.05)[:, None] * sides
    return torch.cat([corner, corner + share[:, None] * sides], 1)
