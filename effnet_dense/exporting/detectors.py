"""Detectors as ONNX models: network, decoding, suppression, and masks of what is kept."""

from __future__ import annotations

import math
from typing import Any

from mmdet.models.dense_heads import RTMDetInsHead
from mmdet.models.detectors import SingleStageDetector
from torch import Tensor

from effnet_dense.exporting.any_size import Plan
from effnet_dense.exporting.any_size_decoding import AnySizeDecoder, priors_model
from effnet_dense.exporting.attention import folded_for_export
from effnet_dense.exporting.decoding import Decoder
from effnet_dense.exporting.instance_masks import DynamicMasks
from effnet_dense.exporting.network import DetectionNetwork, ProposalNetwork
from effnet_dense.exporting.onnx_file import Parts
from effnet_dense.exporting.queries import QueryDecoder, QueryNetwork
from effnet_dense.exporting.regions import RegionBoxes, RegionMasks, check_roi_head
from effnet_dense.exporting.soft_nms_default import with_method
from effnet_dense.exporting.stages import Stages
from effnet_dense.exporting.suppression import CANDIDATES
from effnet_dense.models import RTDETR
from effnet_dense.runtimes.inputs import IMAGES, SIZES

RAW = ('logits', 'deltas', 'centerness')
BOXES = ('boxes', 'scores', 'labels')
KERNELS, PROTOTYPES, PLACES = 'kernels', 'prototypes', 'candidate_priors'
PRIORS = 'priors'
PROPOSED = 'proposed_'
MASKS, SEMANTIC = 'masks', 'semantic_logits'
QUERIES = ('logits', 'relative_boxes')


def detector_parts(
    model: Any, images: Tensor, post: str, any_batch: bool, plan: Plan | None = None
) -> Parts:
    """Export a detector.

    Args:
        model: Of the kinds of `tasks.detector_task`.
        images: Examples, (N, C, H, W).
        post: 'nms', 'decoded' or 'raw'.
        any_batch: Whether the result takes any number of images.
        plan: See `Stages`.

    Raises:
        ValueError: A part of it cannot be exported, or not with `post`.
    """
    stages = Stages(images, any_batch, plan)
    if isinstance(model, RTDETR):
        return stages.parts(_queries(model, stages, post))
    if isinstance(model, SingleStageDetector):
        return stages.parts(_single_stage(model, stages, post))
    if post != 'nms':
        raise ValueError(
            f"a two-stage model is exported with post='nms', which it has inside, got {post!r}"
        )
    return stages.parts(_two_stage(model, stages))


def _queries(model: RTDETR, stages: Stages, post: str) -> tuple[str, ...]:
    """Append the parts of an RT-DETR, which needs no suppression."""
    stages.trace(QueryNetwork(model), [IMAGES], QUERIES)
    if post == 'raw':
        return QUERIES
    stages.trace(QueryDecoder(model.bbox_head, model.num_queries), [*QUERIES, SIZES], BOXES)
    return BOXES


def _single_stage(model: Any, stages: Stages, post: str) -> tuple[str, ...]:
    """Append the parts of a single-stage detector; return the names of the outputs."""
    head = model.bbox_head
    if stages.plan is not None:
        return _single_stage_of_any_size(model, stages, stages.plan.multiple, post)
    size = _size(stages)
    decoder = Decoder(head, size)
    instance = isinstance(head, RTMDetInsHead)
    raw: tuple[str, ...] = (*RAW[:2], KERNELS, PROTOTYPES) if instance else RAW
    stages.trace(DetectionNetwork(model, share=True), [IMAGES], raw)
    raw = tuple(name for name in raw if name in stages.values)
    if post == 'raw':
        return raw
    further = () if instance else raw[2:]
    priors = (PLACES,) if instance else ()
    found = BOXES if post == 'decoded' else CANDIDATES
    decoder.with_priors = instance
    stages.trace(decoder, [*RAW[:2], SIZES, *further], [*found, *priors])
    if post == 'decoded':
        return BOXES
    stages.suppress(with_method(model, model.test_cfg['nms']), model.test_cfg['max_per_img'])
    if not instance:
        return BOXES
    masks = DynamicMasks(head, size)
    stages.trace(masks, ['places', PLACES, KERNELS, PROTOTYPES], [MASKS])
    return *BOXES, MASKS


def _single_stage_of_any_size(
    model: Any, stages: Stages, multiple: int, post: str
) -> tuple[str, ...]:
    """Append the parts of a detector that takes every multiple; see `_single_stage`."""
    head = model.bbox_head
    decoder = AnySizeDecoder(head, multiple)
    stages.trace(DetectionNetwork(model, share=True), [IMAGES], RAW)
    raw = tuple(name for name in RAW if name in stages.values)
    if post == 'raw':
        return raw
    priors = _add_priors(head.prior_generator, stages)
    found = BOXES if post == 'decoded' else CANDIDATES
    stages.trace(decoder, [*RAW[:2], SIZES, priors, *raw[2:]], found)
    if post == 'nms':
        stages.suppress(with_method(model, model.test_cfg['nms']), model.test_cfg['max_per_img'])
    return BOXES


def _add_priors(generator: Any, stages: Stages) -> list[str]:
    """Append the computation of each level's priors, (N, P_l, D); return their names."""
    names = [f'{PRIORS}_{number}' for number in range(len(generator.strides))]
    number = len(stages.values[IMAGES])
    examples = []
    for height, width in stages.sides():
        strides = generator.strides
        shapes = [(math.ceil(height / down), math.ceil(width / right)) for right, down in strides]
        priors = generator.grid_priors(shapes, device='cpu')
        examples.append([level.float().repeat(number, 1, 1) for level in priors])
    stages.append(priors_model(generator), names, examples)
    return names


def _two_stage(model: Any, stages: Stages) -> tuple[str, ...]:
    """Append the parts of a two-stage detector; return the outputs of the last ones."""
    check_roi_head(model.roi_head)
    decoder = Decoder(model.rpn_head, _size(stages))
    model = folded_for_export(model)
    head = model.roi_head
    pooled = head.bbox_roi_extractor.num_inputs
    masked = head.mask_roi_extractor.num_inputs if head.with_mask else 0
    network = ProposalNetwork(model, max(pooled, masked))
    levels = [f'level_{number}' for number in range(network.pooled)]
    outputs = [*RAW[:2], *levels]
    outputs += [SEMANTIC] if network.semantic is not None else []
    stages.trace(network, [IMAGES], outputs)
    candidates = [PROPOSED + name for name in CANDIDATES]
    stages.trace(decoder, [*RAW[:2], SIZES], candidates)
    rpn, rcnn = model.test_cfg.rpn, model.test_cfg.rcnn
    stages.suppress(with_method(model, rpn.nms), rpn.max_per_img, PROPOSED)
    given: list[str | list[str]] = [PROPOSED + 'boxes', PROPOSED + 'labels', SIZES, levels[:pooled]]
    stages.trace(RegionBoxes(head), given, CANDIDATES)
    stages.suppress(with_method(model, rcnn.nms), rcnn.max_per_img)
    if head.with_mask:
        stages.trace(RegionMasks(head), ['boxes', 'labels', levels[:masked]], [MASKS])
        return *BOXES, MASKS
    return BOXES


def _size(stages: Stages) -> tuple[int, int]:
    height, width = stages.values[IMAGES].shape[2:]
    return height, width
