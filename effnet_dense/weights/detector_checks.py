"""Check that EfficientDet weights fit the detector beyond names and shapes.

Matching names and shapes do not rule out other anchors, other padding or missing biases.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmdet.models.task_modules.prior_generators import AnchorGenerator
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from effnet_dense.models import BiFPN, EfficientDetAnchorGenerator, EfficientDetHead
from effnet_dense.weights.detector_names import detector_parts
from effnet_dense.weights.detector_rows import (
    BOX_KEYS,
    CLASS_KEYS,
    COCO_IDS,
    COCO_USED,
    used_classes,
)
from effnet_dense.weights.sources import SourceInfo
from effnet_dense.weights.translate import Translation, preview

# Pixels; the aspects (1.4, 0.7) and (√2, √2 ÷ 2) differ by 0.2 on the finest level.
_ANCHOR_TOLERANCE = 0.01
# Batch norm's eps in neck and head, independent of the backbone's.
_EPS = 1e-3
# Optional tensors: description, pattern of their keys, how to build a part with and without them.
_OPTIONS = (
    (
        'biases before the norms',
        re.compile(r'\.(conv|pointwise)\.bias$'),
        'conv_bias=True',
        'conv_bias=False',
    ),
    ('weighted sums', re.compile(r'\.edge_weights$'), "fusion='fast'", "fusion='sum'"),
)


def check_detector_family(
    model: nn.Module, info: SourceInfo, name: str, ignore: tuple[str, ...]
) -> None:
    """Compare the padding and eps of neck and head with those of a named detector's weights.

    Raises:
        ValueError: The neck's padding or a batch norm's eps differ.
    """
    if info.anchor_scale is None:
        return  # weights of a backbone only
    for part, module in detector_parts(model).items():
        if f'{part}.'.startswith(ignore):
            continue
        if isinstance(module, BiFPN) and module.padding != info.padding:
            raise ValueError(
                f'the weights of {name} need padding={info.padding!r} in the {part}, '
                f'got {module.padding!r}'
            )
        eps = next((norm.eps for norm in module.modules() if isinstance(norm, _BatchNorm)), _EPS)
        if abs(eps - _EPS) > 1e-3 * _EPS:
            raise ValueError(
                f"the weights of {name} need eps={_EPS:g} in the {part}'s norm_cfg, got {eps:g}"
            )


def fit_classes(model: nn.Module, translation: Translation) -> None:
    """Select COCO's 80 of 90 class rows for a head of 80 classes; otherwise compare the number.

    Raises:
        ValueError: The numbers of classes differ.
    """
    head = detector_parts(model).get('bbox_head')
    if not isinstance(head, EfficientDetHead):
        return
    for key in CLASS_KEYS:
        rows = translation.tensors.get(key)
        if rows is None or not rows.ndim or len(rows) % head.num_base_priors:
            continue
        given, expected = len(rows) // head.num_base_priors, head.cls_out_channels
        if (given, expected) == (COCO_IDS, len(COCO_USED)):
            translation.tensors[key] = used_classes(rows)
        elif given != expected:
            raise ValueError(
                f'{translation.origin[key]!r} has {given} classes, the model {expected}: load '
                'everything but the class predictor with load_weights(..., '
                "ignore=('bbox_head.cls_predict.',)), in a config with "
                "load_from_ignore=['bbox_head.cls_predict.']"
            )


def check_parts(
    model: nn.Module,
    translation: Translation,
    own: Mapping[str, Tensor],
    ignore: tuple[str, ...],
) -> None:
    """Check that a neck or head in the source has exactly the model's tensors.

    Raises:
        ValueError: A tensor is missing or unexpected; the message says how to build the part.
    """
    for part in detector_parts(model):
        expected = [key for key in own if key.startswith(f'{part}.')]
        given = [key for key in translation.tensors if key.startswith(f'{part}.')]
        if not set(given) & set(expected):
            continue  # weights of a backbone only, or another kind of neck or head
        unexpected = [key for key in given if key not in own]
        missing = [
            key
            for key in expected
            if key not in translation.tensors
            and not key.startswith(ignore)
            and not key.endswith('num_batches_tracked')
        ]
        if unexpected or missing:
            raise ValueError(_difference(part, missing, unexpected, translation))


def _difference(
    part: str, missing: list[str], unexpected: list[str], translation: Translation
) -> str:
    """Explain the difference by options of the part, or as another network."""
    rest, reasons = {*missing, *unexpected}, []
    for what, pattern, built_with, built_without in _OPTIONS:
        for verb, keys, option in (
            ('has', [key for key in unexpected if pattern.search(key)], built_with),
            ('lacks', [key for key in missing if pattern.search(key)], built_without),
        ):
            if keys:
                name = translation.origin.get(keys[0], keys[0])
                reasons.append(f'{verb} {what} ({name!r}): build the {part} with {option}')
                rest -= {*keys}
    if not rest:
        return f'the source {"; it ".join(reasons)}'
    return (
        f'the source ({translation.format} names) and the {part} have other levels, repetitions '
        f'or norms: the source lacks {preview(missing)}, the {part} has no place for '
        f'{preview([translation.origin[key] for key in unexpected])}. Leave it out with '
        f"load_weights(..., ignore=('{part}.',))"
    )


def check_anchors(model: nn.Module, translation: Translation, info: SourceInfo | None) -> None:
    """Compare the head's anchors with those that the box predictor was trained with.

    effdet's files have aspects (1, 1), (1.4, 0.7), (0.7, 1.4); mmdet's project uses mmdet's
    `AnchorGenerator` with ratios 1, 0.5, 2 and all scales of one ratio together. The scale is
    known for released files only.

    Raises:
        ValueError: They differ; the message contains the required generator.
    """
    head = detector_parts(model).get('bbox_head')
    origin = translation.origin.get(BOX_KEYS[0], '')
    if not isinstance(head, EfficientDetHead) or BOX_KEYS[0] not in translation.tensors:
        return
    if origin.endswith(BOX_KEYS[0]):
        return  # our own names: trained with the model's own anchors
    generator = head.prior_generator
    cfg = anchor_config(
        translation.format,
        [stride[0] for stride in generator.strides],
        (info and info.anchor_scale) or generator.octave_base_scale or 4,
    )
    kind = EfficientDetAnchorGenerator if translation.format == 'effdet' else AnchorGenerator
    needed = kind(**{key: value for key, value in cfg.items() if key != 'type'})
    for level, (expected, given) in enumerate(
        zip(needed.base_anchors, generator.base_anchors, strict=True)
    ):
        if len(given) != len(expected) or (given - expected).abs().max() > _ANCHOR_TOLERANCE:
            raise ValueError(
                f'the boxes of the source ({translation.format} names) belong to other anchors: '
                f'those of level {level} begin with {_corners(expected)}, in the model with '
                f'{_corners(given)}. Build the bbox_head with anchor_generator={cfg}, or leave '
                "the box predictor out with load_weights(..., ignore=('bbox_head.reg_predict.',))"
            )


def anchor_config(format: str, strides: Sequence[int], scale: float) -> dict[str, Any]:
    """Return the config of the anchors of effdet's files, or of mmdet's project."""
    sizes: dict[str, Any] = dict(strides=[*strides], octave_base_scale=scale, scales_per_octave=3)
    if format == 'effdet':
        return dict(type='effnet_dense.EfficientDetAnchorGenerator', **sizes)
    return dict(type='AnchorGenerator', **sizes, ratios=[1.0, 0.5, 2.0], center_offset=0.5)


def _corners(anchors: Tensor, limit: int = 2) -> str:
    """Format the first of the anchors (A, 4) as (x1, y1, x2, y2)."""
    return ', '.join(str(tuple(round(x, 1) for x in a.tolist())) for a in anchors[:limit])
