"""Sizes of images in a model: what its network takes, sliding windows, position embeddings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

from effnet_dense.data.config_walk import type_name
from effnet_dense.engine.settings.size_change import Size, SizeChange
from effnet_dense.engine.settings.sized_nodes import each_node

STRIDE = 32
"""Largest stride of most backbones."""


def check_network_size(config: Config, change: SizeChange) -> None:
    """Check that a network takes images of a size.

    Raises:
        ValueError: Its anchors belong to another size, or its features would not halve evenly; the
            message has the nearest sizes.
    """
    nodes = list(each_node(config.get('model')))
    anchors = next((n for n in nodes if type_name(n) == 'SSDAnchorGenerator'), None)
    if anchors is not None and change.new != change.old:
        raise ValueError(
            f'--image-size {_flag(change.new)}: the anchors of this SSD are made for images of '
            f'{_flag(change.old)}; write the strides, min_sizes and max_sizes of '
            'model.bbox_head.anchor_generator for another size, or train another detector'
        )
    unit = _multiple(nodes, change)
    if min(change.new) < STRIDE or any(side % unit for side in change.new):
        near = [sorted({_near(side, unit, down) for down in (True, False)}) for side in change.new]
        sides = [' or '.join(map(str, sizes)) for sizes in near]
        square = change.new[0] == change.new[1]
        raise ValueError(
            f'--image-size {_flag(change.new)}: this network takes multiples of {unit} from '
            f'{max(unit, STRIDE)} on; the nearest: {sides[0] if square else " × ".join(sides)}'
        )


def set_network_sizes(config: Config, change: SizeChange) -> None:
    """Set a segmentor's sliding windows, and position embeddings of the size of its crops."""
    height_first = change.new[::-1]
    for owner in _parts(config.get('model')):
        size = owner.get('img_size')
        if isinstance(size, list | tuple) and tuple(size) == change.old[::-1]:
            owner['img_size'] = list(height_first) if isinstance(size, list) else height_first
        elif isinstance(size, int) and (size, size) == change.old:
            owner['img_size'] = change.new[0] if change.new[0] == change.new[1] else height_first
    for owner in each_node(config.get('model')):
        fixed = owner.get('size') is not None or owner.get('size_divisor') is not None
        if type_name(owner) == 'SegDataPreProcessor' and not fixed:
            owner['size'] = height_first  # without any of the two mmseg cannot batch images
    test_cfg: Any = (config.get('model') or {}).get('test_cfg') or {}
    for key in ('crop_size', 'stride'):
        value = test_cfg.get(key)
        if isinstance(value, list | tuple) and len(value) == 2:
            size = change.exact(value[::-1])[::-1]
            test_cfg[key] = list(size) if isinstance(value, list) else size


def _multiple(nodes: list[Any], change: SizeChange) -> int:
    """Return the number of pixels of which a network's images must be multiples.

    EfficientDet halves images seven times or more (EfficientDet, equation 3: multiples of 128);
    its Lite networks of 320 and 448 pixels are for multiples of 64. Others halve them five times.
    Images that the data preprocessor pads to such a multiple can have any size.
    """
    strides = [
        max(node.get('anchor_generator', {}).get('strides') or [128])
        for node in nodes
        if type_name(node) == 'EfficientDetHead'
    ]
    stride = max(strides, default=STRIDE)
    kinds = {type_name(node) for node in nodes}
    padded = any(node.get('pad_size_divisor', 1) % stride == 0 for node in nodes)
    exact = {'BatchFixedSizePad', 'SegDataPreProcessor', 'EfficientDetHead'} & kinds
    if padded and not exact:
        return 1
    return math.gcd(stride, *change.old)


def _parts(node: Any) -> Iterator[Any]:
    if isinstance(node, Mapping):
        yield node
        for child in node.values():
            yield from _parts(child)
    elif isinstance(node, list | tuple):
        for child in node:
            yield from _parts(child)


def _near(side: int, unit: int, down: bool) -> int:
    steps = side // unit if down else -(-side // unit)
    least = -(-STRIDE // unit)
    return max(steps, least) * unit


def _flag(size: Size) -> str:
    return f'{size[0]}' if size[0] == size[1] else f'{size[0]} {size[1]}'
