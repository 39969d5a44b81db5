"""Which task a model has, and whether models of its kind can be exported."""

from __future__ import annotations

from typing import Any

from mmcv.ops import MultiScaleDeformableAttention
from mmdet.models.dense_heads import RPNHead, RTMDetInsHead
from mmdet.models.detectors import SingleStageDetector, TwoStageDetector
from mmseg.models.segmentors import EncoderDecoder

from effnet_dense.models import RTDETR


def detector_task(model: Any) -> str:
    """Return a detector's task: 'detection', 'instance' or 'panoptic'.

    Raises:
        ValueError: It is of a kind that cannot be exported.
    """
    if isinstance(model, RTDETR):
        return 'detection'
    _check_attention(model)
    if isinstance(model, SingleStageDetector) and hasattr(model, 'bbox_head'):
        if not hasattr(model.bbox_head, 'prior_generator'):
            name = type(model.bbox_head).__name__
            raise ValueError(f'{name} cannot be exported: it has no prior_generator')
        return 'instance' if isinstance(model.bbox_head, RTMDetInsHead) else 'detection'
    if isinstance(model, TwoStageDetector) and type(getattr(model, 'rpn_head', None)) is RPNHead:
        if hasattr(model, 'panoptic_fusion_head'):
            return 'panoptic'
        return 'instance' if model.roi_head.with_mask else 'detection'
    raise ValueError(
        f'{type(model).__name__} cannot be exported, only single-stage detectors, two-stage ones '
        'with an RPNHead, RTDETR, and segmentors'
    )


def check_segmentor(model: Any) -> None:
    """Check that a segmentor can be exported.

    Raises:
        ValueError: It is of another kind, cuts images into windows, or has deformable attention.
    """
    _check_attention(model)
    mode = model.test_cfg.get('mode', 'whole')
    if not isinstance(model, EncoderDecoder) or mode != 'whole':
        raise ValueError(
            f"expected an EncoderDecoder with test_cfg.mode='whole', got "
            f'{type(model).__name__} with {mode!r}'
        )


def _check_attention(model: Any) -> None:
    """Refuse models with deformable attention, such as Mask2Former and DINO.

    mmcv's function splits the pixels by sizes that are values of a tensor, which a traced graph
    does not have.
    """
    if any(isinstance(module, MultiScaleDeformableAttention) for module in model.modules()):
        part = getattr(model, 'decode_head', model)  # of a segmentor, whose own class says little
        raise ValueError(
            f'{type(part).__name__} cannot be exported: its deformable attention splits pixels by '
            'sizes that are known only when it runs'
        )


def label_rules_of(model: Any) -> dict[str, Any]:
    """Return how a segmentor's logits become label maps; see `Metadata`."""
    threshold = getattr(model.decode_head, 'threshold', None)
    single = getattr(model, 'out_channels', None) == 1
    return dict(
        threshold=float(threshold) if single and threshold is not None else None,
        align_corners=bool(getattr(model, 'align_corners', False)),
    )


def masks_of(model: Any) -> dict[str, Any] | None:
    """Return how the masks of an exported detector are read; None if it has none."""
    if detector_task(model) == 'detection':
        return None
    if isinstance(model, SingleStageDetector):
        stride = int(model.bbox_head.prior_generator.strides[0][0])
        threshold = model.test_cfg.mask_thr_binary
        return dict(within='image', stride=stride, threshold=float(threshold))
    return dict(within='box', threshold=float(model.test_cfg.rcnn.mask_thr_binary))


def panoptic_of(model: Any) -> dict[str, Any] | None:
    """Return how masks and semantic logits are merged; None if the model is not panoptic."""
    if detector_task(model) != 'panoptic':
        return None
    head = model.panoptic_fusion_head
    return dict(
        type=type(head).__name__,
        num_things_classes=int(head.num_things_classes),
        num_stuff_classes=int(head.num_stuff_classes),
        test_cfg=dict(head.test_cfg),
    )
