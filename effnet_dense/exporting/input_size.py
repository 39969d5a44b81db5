"""Which height and width an exported network takes."""

from __future__ import annotations

import math
from typing import Any

from mmdet.models.dense_heads import RTMDetInsHead
from mmdet.models.detectors import TwoStageDetector
from mmdet.models.necks import FPN
from mmengine.config import Config
from mmengine.logging import print_log
from torch import nn

from effnet_dense.data.config_walk import type_name
from effnet_dense.data.model_classes import test_dataset
from effnet_dense.models import RTDETR, BiFPN, EfficientDetHead

COARSEST = 32
"""The stride to whose multiples sides are rounded up, if the config's preprocessor names none."""


def input_size(config: Config, size: tuple[int, int] | None = None) -> tuple[int, int]:
    """Return height and width, as the test pipeline and the data preprocessor pad images.

    Args:
        config: Of the model.
        size: Height and width that the user wishes; by default those of the test pipeline.

    Raises:
        ValueError: `size` is no multiple of the stride, or there is none, and no `fixed_size`.
    """
    preprocessor: Any = config.model.get('data_preprocessor') or {}
    multiple = divisor(preprocessor)
    if size is not None:
        if any(side < 1 or side % multiple for side in size):
            raise ValueError(
                f'expected a height and width that are multiples of {multiple}, got '
                f'{size[0]} × {size[1]}'
            )
        _check_fits(config, size)
        return size
    fixed = fixed_size(config)
    if fixed is None:
        raise ValueError(
            'the test pipeline gives images of different sizes: give the height and width that '
            f'the exported network takes (--size H W), multiples of {multiple}'
        )
    return fixed


def _check_fits(config: Config, size: tuple[int, int]) -> None:
    """Check that a size takes images of the test pipeline, and log what becomes of others.

    Raises:
        ValueError: It takes none.
    """
    resized = _resized(config)
    if resized is None or size == fixed_size(config):
        return
    given, needed = ('{} × {}'.format(*sides) for sides in (size, resized))
    pipeline = f'the test pipeline resizes images to fit {needed}'
    smaller = [side < other for side, other in zip(size, resized, strict=True)]
    keeps_ratio = _keeps_ratio(config)
    if all(smaller) if keeps_ratio else any(smaller):
        least = f'{max(resized)} for the longer side' if keeps_ratio else needed
        raise ValueError(
            f'expected a size of at least {least}, got {given}: {pipeline}; size does not change '
            'that, but the Resize of the config does'
        )
    result = 'images that are then larger are refused' if any(smaller) else 'the rest is padding'
    print_log(f'{pipeline}, and the file takes {given}: {result}', logger='current')


def _keeps_ratio(config: Config) -> bool:
    """Whether images of other ratios get another height or width, and are not padded to one."""
    steps = test_dataset(config)['pipeline']
    pads = any(type_name(step) == 'Pad' for step in steps)
    return not pads and any(type_name(s) == 'Resize' and s.get('keep_ratio') for s in steps)


def fixed_size(config: Config) -> tuple[int, int] | None:
    """Return the height and width of all images after padding; None if they differ."""
    preprocessor: Any = config.model.get('data_preprocessor') or {}
    wanted = _padded(preprocessor) or _resized(config)
    if wanted is None:
        return None
    multiple = divisor(preprocessor)
    height, width = (math.ceil(side / multiple) * multiple for side in wanted)
    return height, width


def check_multiple(model: Any, multiple: int) -> None:
    """Check the number of whose multiples a network takes every height and width.

    Raises:
        ValueError: The model takes one size, or the number is no multiple of what it needs.
    """
    needed = smallest_multiple(model)
    if needed is None:
        raise ValueError(
            f'{type(model).__name__} is exported with one height and width, on which '
            f'{_fixed_part(model)} depends: expected it without multiple'
        )
    if multiple < 1 or multiple % needed:
        neck = getattr(model, 'neck', None)
        name = type(model).__name__ + (f' with {type(neck).__name__}' if neck else '')
        raise ValueError(
            f'expected multiple to be a multiple of {needed}, as {name} needs it, got {multiple}'
        )
    if not fits_levels(model, multiple):
        largest = coarsest(model)
        allowed = [needed * 2**n for n in range(8) if needed * 2**n < largest]
        raise ValueError(
            f'expected multiple to be {"".join(f"{n}, " for n in allowed)}or a multiple of '
            f'{largest}, the coarsest stride, got {multiple}'
        )


def fits_levels(model: Any, multiple: int) -> bool:
    """Whether the sides of all levels are rounded up alike for every multiple."""
    largest = coarsest(model)
    return largest % multiple == 0 or multiple % largest == 0


def smallest_multiple(model: Any) -> int | None:
    """Return of what sides must be multiples in a file of every size; None if there is none."""
    if _fixed_part(model) is not None:
        return None
    return COARSEST if halvings(model, COARSEST) == 0 or _rounds_up(model) else coarsest(model)


def _fixed_part(model: Any) -> str | None:
    """Return the part of a model whose graph depends on the image's size, if there is one."""
    if isinstance(model, TwoStageDetector):
        return 'its second stage'
    if isinstance(model, RTDETR):
        return 'its attention'
    if isinstance(getattr(model, 'bbox_head', None), RTMDetInsHead):
        return 'the computation of its masks'
    pools = (m.output_size for m in model.modules() if isinstance(m, nn.AdaptiveAvgPool2d))
    return next((f'its pooling to {n} × {n} cells' for n in pools if n not in (1, (1, 1))), None)


def coarsest(model: Any) -> int:
    """Return the largest stride of a model's levels, in pixels."""
    head, neck = getattr(model, 'bbox_head', None), getattr(model, 'neck', None)
    strides = [max(stride) for stride in head.prior_generator.strides] if head is not None else []
    if isinstance(neck, BiFPN):
        last = getattr(model.backbone, 'out_strides', (COARSEST,))[-1]
        strides.append(last * 2**neck.num_extra)
    return max(COARSEST, *strides, COARSEST)


def halvings(model: Any, multiple: int) -> int:
    """Return how often a multiple is halved, rounded up, down to the coarsest level."""
    return max(0, math.ceil(math.log2(coarsest(model) / multiple)))


def _rounds_up(model: Any) -> bool:
    """Whether the levels above a stride of 32 are computed alike for even and odd sides."""
    if isinstance(getattr(model, 'bbox_head', None), EfficientDetHead):
        return False  # its priors are not
    return type(getattr(model, 'neck', None)) in (FPN, BiFPN)


def divisor(preprocessor: Any) -> int:
    """Return the number to whose multiples a data preprocessor pads sides."""
    test = preprocessor.get('test_cfg') or {}
    return int(preprocessor.get('pad_size_divisor') or test.get('size_divisor') or COARSEST)


def _padded(preprocessor: Any) -> tuple[int, int] | None:
    for step in preprocessor.get('batch_augments') or ():
        if type_name(step) == 'BatchFixedSizePad':
            return tuple(step['size'])
    return None


def scale_of(step: Any) -> tuple[int, int]:
    """Return width and height of a `Resize`, which one number makes equal."""
    scale = step['scale']
    width, height = (scale, scale) if isinstance(scale, int) else scale
    return int(width), int(height)


def _resized(config: Config) -> tuple[int, int] | None:
    """Return the size to which images are resized or padded, if it does not depend on them."""
    steps = test_dataset(config)['pipeline']
    for step in steps:
        if type_name(step) == 'Pad' and step.get('size'):
            width, height = step['size']
            return height, width
    for step in steps:
        if type_name(step) == 'Resize' and step.get('scale'):
            width, height = scale_of(step)
            if width == height or not step.get('keep_ratio'):
                return height, width
            return None
    return None
