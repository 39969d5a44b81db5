"""Set the number of classes in the heads and losses of an mmseg model's config."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.logging import print_log

from effnet_dense.data.class_weights import weights_for
from effnet_dense.data.config_walk import type_name
from effnet_dense.data.label_maps.decode import NO_CLASS

EDGE_HEADS = ('STDCHead',)
"""Heads whose two classes are "edge" and "no edge" for any dataset."""
QUERY_HEADS = ('MaskFormerHead', 'Mask2FormerHead')
"""Heads whose `out_channels` are the width of their masks' features, not a number of classes."""


def set_segmentation_classes(model: Any, num_classes: int) -> int:
    """Set the number of classes in every decode and auxiliary head of a model's config.

    Heads may be in lists (cascades) and within each other (K-Net); losses within them that count
    or weight classes are set too.

    Returns:
        Number of heads and losses that were set.

    Raises:
        ValueError: The model takes its classes from a text encoder, which `--data` cannot set up.
    """
    if model.get('text_encoder') is not None:
        raise ValueError(
            'expected a model that learns its classes for --data, got one with a text_encoder: '
            'its vocabulary and templates must be written in the config'
        )
    heads = [model.get(key) for key in ('decode_head', 'auxiliary_head')]
    return sum(_set_head(node, num_classes) for node in heads)


def _set_head(node: Any, num_classes: int, before: int | None = None) -> int:
    """Set a head and those in it; `before` is the enclosing head's former number of classes."""
    if isinstance(node, list | tuple):
        return sum(_set_head(child, num_classes, before) for child in node)
    if not isinstance(node, dict) or type_name(node) in EDGE_HEADS:
        return 0
    count = 0
    if 'num_classes' in node:
        before, node['num_classes'] = node['num_classes'], num_classes
        count = 1
        if type_name(node) not in QUERY_HEADS:
            _set_out_channels(node, num_classes)
    if 'ignore_index' in node:
        node['ignore_index'] = NO_CLASS
    if isinstance(node.get('class_weight'), list | tuple):
        _set_class_weight(node, num_classes, before)
    return count + sum(_set_head(child, num_classes, before) for child in _children(node))


def _children(node: dict[str, Any]) -> Iterator[Any]:
    yield from (value for value in node.values() if isinstance(value, dict | list | tuple))


def _set_out_channels(head: Any, num_classes: int) -> None:
    """Give a head one channel per class, unless one channel represents two classes."""
    if head.get('out_channels') is not None and (head['out_channels'], num_classes) != (1, 2):
        head['out_channels'] = num_classes


def _set_class_weight(loss: Any, num_classes: int, before: int | None) -> None:
    """Keep weights if their number fits; others belong to other classes and are removed."""
    weights = loss['class_weight']
    loss['class_weight'] = weights_for(weights, before, num_classes)
    if loss['class_weight'] is None:
        print_log(
            f'--data: class_weight of {type_name(loss)} has {len(weights)} weights for the '
            f"config's own classes, the dataset has {num_classes} classes: removed. Set yours "
            'with --cfg-options.'
        )
