"""Fit a config to a detector that others trained on COCO: to its images, padding and anchors."""

from __future__ import annotations

import copy
from typing import Any

from mmengine.config import Config

from effnet_dense.data.config_walk import type_name
from effnet_dense.engine.settings.initial_weights import set_family, set_normalisation
from effnet_dense.engine.settings.model_parts import (
    backbone_owner,
    is_efficientnet,
    preprocessors,
)
from effnet_dense.engine.settings.notes import note
from effnet_dense.weights.coco_detectors import CocoDetector
from effnet_dense.weights.detector_checks import anchor_config
from effnet_dense.weights.sources import Source, coco_detector, source_info

EFFICIENTDET = 'EfficientDetHead'
PROJECT = 'EfficientDetSepBNHead'
"""Of mmdet's `projects/EfficientDet`, whose own configs fit its weights."""
STRIDES = (8, 16, 32, 64, 128)
"""Of a head whose config names no anchors."""
STATISTICS = ('mean', 'std', 'bgr_to_rgb')
PADDING = 'BatchFixedSizePad'


def fitted_to_detector(config: Config, source: Source) -> Config:
    """Return a config as `fit_to_detector` changes it: a copy if the source is such a detector."""
    if coco_detector(source) is None:
        return config
    config = copy.deepcopy(config)
    fit_to_detector(config, source)
    return config


def fit_to_detector(config: Config, source: Source) -> CocoDetector | None:
    """Build a model with what a published detector's weights require, and log the differences.

    Args:
        config: Changed in place: mean, std and border of the images, padding, the backbone's eps,
            biases before norms, anchors.
        source: Any; sources that are not in `COCO_DETECTORS` change nothing.

    Returns:
        The detector.

    Raises:
        ValueError: The config has another kind of head.
    """
    detector, info = coco_detector(source), source_info(source)
    if detector is None or info is None:
        return None
    name = detector.source
    owner = backbone_owner(config, name)
    if type_name(owner.get('bbox_head') or {}) == PROJECT:
        return detector
    _check_head(owner, detector)
    before = _requirements(config, owner)
    set_family(owner.backbone, info)
    set_normalisation(config, info)
    for preprocessor in preprocessors(config):
        _set_border(preprocessor, detector.pad_value)
    if detector.head == EFFICIENTDET:
        _set_neck_and_head(owner, detector)
    after = _requirements(config, owner)
    changed = [f'{key} {value}' for key, value in after.items() if before[key] != value]
    if changed:
        note(f'{name}: its weights require {", ".join(changed)}, which is set')
    return detector


def _check_head(owner: Any, detector: CocoDetector) -> None:
    parts = [owner.backbone, owner.get('neck') or {}, owner.get('bbox_head') or {}]
    found = [type_name(part) or 'nothing' for part in parts]
    neck = 'BiFPN' if detector.head == EFFICIENTDET else 'FPN'
    if not is_efficientnet(owner.backbone) or found[1:] != [neck, detector.head]:
        raise ValueError(
            f'{detector.source} is a complete detector: EfficientNet, {neck}, {detector.head}; '
            f'this config has {", ".join(found)}: take one with these, such as {detector.config}, '
            f'or write --weights {detector.source} for the backbone alone'
        )


def _set_border(preprocessor: Any, value: float) -> None:
    """Fill what is beside an image with a value, in units of normalised pixels."""
    if preprocessor.get('pad_value', 0) != value:
        preprocessor['pad_value'] = value
    for augment in preprocessor.get('batch_augments') or []:
        if type_name(augment) == PADDING and augment.get('img_pad_value', 0) != value:
            augment['img_pad_value'] = value


def _set_neck_and_head(owner: Any, detector: CocoDetector) -> None:
    owner.neck.padding = detector.padding
    # TensorFlow's layers have biases, PyTorch's none before a norm.
    owner.neck.conv_bias = owner.bbox_head.conv_bias = detector.padding == 'same'
    scheme = detector.source.partition('://')[0]
    anchors = _anchors(owner.bbox_head)
    needed = anchor_config(scheme, anchors.get('strides', STRIDES), detector.anchor_scale)
    if anchors != needed:
        owner.bbox_head.anchor_generator = needed


def _anchors(head: Any) -> dict[str, Any]:
    return {'scales_per_octave': 3, **(head.get('anchor_generator') or {})}


def _requirements(config: Config, owner: Any) -> dict[str, Any]:
    """Return what weights may require, as the config has it."""
    statistics: Any = next(preprocessors(config), {})
    head, neck = owner.bbox_head, owner.get('neck') or {}
    return {
        **{key: statistics.get(key) for key in STATISTICS},
        'pad_value': statistics.get('pad_value', 0),
        'padding': owner.backbone.get('padding', 'same'),
        'eps': (owner.backbone.get('norm_cfg') or {}).get('eps'),
        'padding of the neck': neck.get('padding'),
        'conv_bias': head.get('conv_bias'),
        'anchors': _anchors(head),
    }
