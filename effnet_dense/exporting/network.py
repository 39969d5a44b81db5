"""The part of a detector or segmentor that is exported: images → raw outputs, as one module.

Shapes: N images of H × W pixels, P priors of an image over all levels, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.dense_heads import GFLHead, RTMDetInsHead
from torch import Tensor, nn

from effnet_dense.exporting.attention import folded_for_export
from effnet_dense.exporting.shared_norms import scale_and_shift
from effnet_dense.exporting.tasks import check_segmentor
from effnet_dense.models import EfficientNet
from effnet_dense.models.dense_losses import flatten_levels

WHOLE_POSTS: dict[str, tuple[str, ...]] = {
    'semantic': ('labels', 'raw'),
    'classification': ('raw',),
    'features': ('features',),
}
"""Tasks of `whole_network` → where they may end, the default first."""


class DetectionNetwork(nn.Module):
    """Backbone, neck and head of a single-stage detector, with the outputs of all levels joined.

    Args:
        detector: Of mmdet's `SingleStageDetector`; a folded copy of it is used.
        share: Keep one copy of the convolutions that levels share; see `exporting.shared_norms`.
    """

    def __init__(self, detector: Any, share: bool = False) -> None:
        super().__init__()
        copied: Any = folded_for_export(scale_and_shift(detector) if share else detector)
        self.backbone = copied.backbone
        self.neck = copied.neck if copied.with_neck else nn.Identity()
        self.head = copied.bbox_head

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the raw outputs.

        Args:
            images: (N, 3, H, W), normalised.

        Returns:
            Class logits (N, P, C), box deltas or distances (N, P, 4), and from heads with a
            centerness its logits (N, P, 1); from RTMDet-Ins kernels (N, P, D) and prototypes
            (N, B, H ÷ 8, W ÷ 8).
        """
        levels = self.levels(images)
        prototypes = levels[3:] if isinstance(self.head, RTMDetInsHead) else ()
        return *self.joined(levels), *prototypes

    def levels(self, images: Tensor) -> tuple[Any, ...]:
        """Return the head's outputs: lists of the levels' maps."""
        outputs = tuple(self.head(self.neck(self.backbone(images))))
        if isinstance(self.head, GFLHead):
            strides = (stride[0] for stride in self.head.prior_generator.strides)
            pairs = zip(outputs[1], strides, strict=True)
            return outputs[0], [expected_distances(bins, stride) for bins, stride in pairs]
        return outputs

    def joined(self, levels: Sequence[Any]) -> tuple[Tensor, ...]:
        """Join the levels of each output but prototypes."""
        return join_levels(levels, output_widths(self.head))


def expected_distances(bins: Tensor, stride: int) -> Tensor:
    """Return the means of GFL's distributions over distances (arXiv:2006.04388, equation 3).

    Args:
        bins: (N, 4 · B, h, w), logits of the distances 0, 1, … B − 1 strides for each side.
        stride: Of the level, in pixels.

    Returns:
        (N, 4, h, w), in pixels.
    """
    shares = bins.unflatten(1, (4, -1)).softmax(2)
    steps = torch.arange(shares.shape[2], device=bins.device, dtype=bins.dtype)
    return (shares * steps[:, None, None]).sum(2) * stride


def output_widths(head: Any) -> tuple[int, ...]:
    """Return the values that a head predicts for a prior, in each of its outputs."""
    last = head.num_gen_params if isinstance(head, RTMDetInsHead) else 1
    return head.cls_out_channels, head.bbox_coder.encode_size, last


def join_levels(outputs: Sequence[Any], widths: Sequence[int]) -> tuple[Tensor, ...]:
    """Join the levels' maps (N, priors · D, h, w) of each output to (N, P, D)."""
    return tuple(flatten_levels(maps, width) for maps, width in zip(outputs, widths, strict=False))


class ProposalNetwork(nn.Module):
    """The part of a two-stage detector whose result does not depend on proposals.

    Args:
        detector: Of mmdet's `TwoStageDetector`; already folded.
        pooled: Number of levels, the finest first, from which regions are pooled.
    """

    def __init__(self, detector: Any, pooled: int) -> None:
        super().__init__()
        self.pooled = pooled
        self.backbone = detector.backbone
        self.neck = detector.neck if detector.with_neck else nn.Identity()
        self.head = detector.rpn_head
        self.semantic = getattr(detector, 'semantic_head', None)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute what the second stage needs.

        Args:
            images: (N, 3, H, W), normalised.

        Returns:
            Logits (N, P, 1) and deltas (N, P, 4) of the proposals, the features (N, C, h, w) of
            the pooled levels, and from panoptic models logits of things and stuff (N, C, h, w).
        """
        features = tuple(self.neck(self.backbone(images)))
        logits, deltas = self.head(features)
        raw = flatten_levels(logits, 1), flatten_levels(deltas, 4), *features[: self.pooled]
        return raw if self.semantic is None else (*raw, self.semantic(features)['seg_preds'])


class SegmentationNetwork(nn.Module):
    """A segmentor up to its logits, which have the size of the image.

    Args:
        segmentor: mmseg's `EncoderDecoder`; a folded copy of it is used.
        labels: Return label maps instead of logits.
    """

    def __init__(self, segmentor: Any, labels: bool) -> None:
        super().__init__()
        self.segmentor: Any = folded_for_export(segmentor)
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


def whole_network(model: Any, task: str, post: str) -> tuple[nn.Module, list[str]]:
    """Return a module after which nothing comes, and the names of its outputs.

    Args:
        model: A segmentor, classifier or backbone.
        task: Its own.
        post: Where it ends.

    Raises:
        ValueError: See `check_segmentor`.
    """
    if task == 'semantic':
        check_segmentor(model)
        labels = post == 'labels'
        return SegmentationNetwork(model, labels).eval(), ['label_map' if labels else 'logits']
    indices = model.out_indices if isinstance(model, EfficientNet) else ()
    return folded_for_export(model), [f'c{index}' for index in indices] or ['logits']
