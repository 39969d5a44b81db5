"""The part of a detector or segmentor that is exported: images → raw outputs, as one module.

Shapes: N images of H × W pixels, P priors of an image over all levels, C classes.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from effnet_dense.deployment.deploy import folded
from effnet_dense.models.efficientdet_head import flatten_levels


class DetectionNetwork(nn.Module):
    """Backbone, neck and head of a single-stage detector, with the outputs of all levels joined.

    Args:
        detector: Of mmdet's `SingleStageDetector`; a folded copy of it is used.
    """

    def __init__(self, detector: Any) -> None:
        super().__init__()
        copied: Any = folded(detector)
        self.backbone = copied.backbone
        self.neck = copied.neck if copied.with_neck else nn.Identity()
        self.head = copied.bbox_head

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the raw outputs.

        Args:
            images: (N, 3, H, W), normalised.

        Returns:
            Class logits (N, P, C), box deltas or distances (N, P, 4), and from heads with a
            centerness its logits (N, P, 1).
        """
        levels = self.head(self.neck(self.backbone(images)))
        widths = (self.head.cls_out_channels, self.head.bbox_coder.encode_size, 1)
        return tuple(
            flatten_levels(outputs, width) for outputs, width in zip(levels, widths, strict=False)
        )


class SegmentationNetwork(nn.Module):
    """A segmentor up to its logits, which have the size of the image.

    Args:
        segmentor: mmseg's `EncoderDecoder`; a folded copy of it is used.
        labels: Return label maps instead of logits.
    """

    def __init__(self, segmentor: Any, labels: bool) -> None:
        super().__init__()
        self.segmentor: Any = folded(segmentor)
        self.labels = labels

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W), normalised → logits (N, C, H, W), or label maps (N, H, W) of int64."""
        meta = dict(img_shape=images.shape[-2:])
        logits = self.segmentor.encode_decode(images, [meta])
        if not self.labels:
            return logits
        if logits.shape[1] == 1:
            threshold = self.segmentor.decode_head.threshold
            return (logits.sigmoid() > threshold).long()[:, 0]
        return logits.argmax(1)
