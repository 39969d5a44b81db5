"""Build the network of an EfficientDet, without losses and post-processing."""

from __future__ import annotations

from mmengine.registry import init_default_scope
from torch import Tensor, nn

from effnet_dense.models import BiFPN, EfficientDetHead, EfficientNet
from effnet_dense.scaling import Detector, detector

CLASSES = 90
"""Number of COCO's category ids, as in automl's and effdet's models."""


class DetectorNetwork(nn.Module):
    """Backbone, BiFPN and heads of an EfficientDet with 90 classes.

    Args:
        sizes: A name, 'd0' … 'd7x' or 'lite0' … 'lite4', or the sizes themselves.
        lean: The lean level of all modules.
    """

    def __init__(self, sizes: str | Detector, lean: int = 0) -> None:
        super().__init__()
        config = (detector(sizes) if isinstance(sizes, str) else sizes).model()
        init_default_scope('mmdet')  # for the head's box coder
        head = dict(config['bbox_head'])
        head['anchor_generator'] = dict(
            type='effnet_dense.EfficientDetAnchorGenerator', **head['anchor_generator']
        )
        self.backbone = EfficientNet(**config['backbone'], lean=lean)
        self.neck = BiFPN(**config['neck'], conv_bias=True, lean=lean)
        self.bbox_head = EfficientDetHead(CLASSES, conv_bias=True, **head, lean=lean)

    def forward(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """(N, 3, H, W) → class logits and box deltas of each level."""
        return self.bbox_head(self.neck(self.backbone(x)))
