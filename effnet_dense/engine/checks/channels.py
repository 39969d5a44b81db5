"""Do neck and heads expect the channels that the backbone gives? Else the first step would fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from effnet_dense.models import EfficientNet

SEGMENTATION_HEADS = ('decode_head', 'auxiliary_head')


def check_channels(model: nn.Module) -> None:
    """Compare an EfficientNet's features with what comes after it, and a neck's with the heads.

    Args:
        model: A detector or segmentor of mmdet's or mmseg's; other backbones are not looked at.

    Raises:
        ValueError: naming the part, the channels it expects and those it would get.
    """
    backbone = getattr(model, 'backbone', None)
    if not isinstance(backbone, EfficientNet):
        return
    given = backbone.out_channels
    neck = getattr(model, 'neck', None)
    source = 'backbone'
    if neck is not None:
        expected = getattr(neck, 'in_channels', None)
        # Some necks list theirs from the coarsest level, some keep another number by that name.
        if isinstance(expected, list | tuple) and sorted(expected) != sorted(given):
            _compare('neck', expected, given, source)
        width, levels = getattr(neck, 'out_channels', None), getattr(neck, 'num_outs', None)
        if not isinstance(width, int) or not isinstance(levels, int):
            return  # a neck of its own kind
        source, given = 'neck', (width,) * levels
    for name in SEGMENTATION_HEADS:
        heads: Any = getattr(model, name, None)
        for head in heads if isinstance(heads, nn.ModuleList) else [heads]:
            if getattr(head, 'in_index', None) is not None:
                _compare(name, head.in_channels, _selected(head, given, source), source)


def _selected(head: Any, given: Sequence[int], source: str) -> Sequence[int]:
    """The features that a head of mmseg's takes, summed where it concatenates them."""
    wanted = [head.in_index] if isinstance(head.in_index, int) else head.in_index
    try:
        channels = [given[index] for index in wanted]
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
