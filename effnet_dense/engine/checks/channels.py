"""Check that neck and heads expect the channels that the backbone returns, before training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from effnet_dense.models import EfficientNet

SEGMENTATION_HEADS = ('decode_head', 'auxiliary_head')


def check_channels(model: nn.Module) -> None:
    """Compare an EfficientNet's features with the neck's inputs, and the neck's with the heads'.

    Args:
        model: A detector or segmentor of mmdet or mmseg; other backbones are not checked.

    Raises:
        ValueError: Names the module, the channels that it expects and those it would get.
    """
    backbone = getattr(model, 'backbone', None)
    if not isinstance(backbone, EfficientNet):
        return
    given = backbone.out_channels
    neck = getattr(model, 'neck', None)
    source = 'backbone'
    if neck is not None:
        expected = getattr(neck, 'in_channels', None)
        # Some necks list the coarsest level first, some use `in_channels` for another number.
        if isinstance(expected, list | tuple) and sorted(expected) != sorted(given):
            _compare('neck', expected, given, source)
        width, levels = getattr(neck, 'out_channels', None), getattr(neck, 'num_outs', None)
        if not isinstance(width, int) or not isinstance(levels, int):
            return  # a neck with other attributes
        source, given = 'neck', (width,) * levels
    for name in SEGMENTATION_HEADS:
        heads: Any = getattr(model, name, None)
        for head in heads if isinstance(heads, nn.ModuleList) else [heads]:
            if getattr(head, 'in_index', None) is not None:
                _compare(name, head.in_channels, _inputs_of(head, given, source), source)


def _inputs_of(head: Any, given: Sequence[int], source: str) -> Sequence[int]:
    """Select the features that an mmseg head uses; their sum if it concatenates them."""
    indices = [head.in_index] if isinstance(head.in_index, int) else head.in_index
    try:
        channels = [given[index] for index in indices]
    except IndexError:
        raise ValueError(
            f'a head has in_index={head.in_index}, but the {source} gives {len(given)} features'
        ) from None
    return [sum(channels)] if head.input_transform == 'resize_concat' else channels


def _compare(name: str, expected: Any, given: Sequence[int], source: str) -> None:
    expected = [expected] if isinstance(expected, int) else list(expected)
    if expected != list(given):
        raise ValueError(
            f'model.{name}.in_channels is {expected}, but the {source} gives {list(given)} channels'
        )
