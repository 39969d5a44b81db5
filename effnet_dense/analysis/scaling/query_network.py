"""Mask2Former's modules from images to the predictions of its queries."""

from __future__ import annotations

from typing import Any

from mmdet.models.detectors import MaskFormer
from mmdet.structures import DetDataSample
from mmseg.models.decode_heads import Mask2FormerHead
from mmseg.structures import SegDataSample
from torch import Tensor, nn


class QueryNetwork(nn.Module):
    """Backbone, pixel decoder and transformer, which need the images' sizes beside them.

    Their deformable attention reads the sizes of features: they run on a CPU, not on meta.

    Args:
        model: A detector or segmentor, see `has_query_head`.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model: Any = model

    def forward(self, x: Tensor) -> Any:
        """(N, 3, H, W), images without padding → class and mask logits of each layer."""
        size = tuple(x.shape[-2:])
        meta = dict(batch_input_shape=size, img_shape=size)
        detects = isinstance(self.model, MaskFormer)
        head = self.model.panoptic_head if detects else self.model.decode_head
        kind = DetDataSample if detects else SegDataSample
        return head(self.model.extract_feat(x), [kind(metainfo=meta) for _ in x])


def has_query_head(model: nn.Module) -> bool:
    """Return whether a model is mmdet's MaskFormer or Mask2Former, or a segmentor with its head."""
    head = getattr(model, 'decode_head', None)
    return isinstance(model, MaskFormer) or isinstance(head, Mask2FormerHead)
