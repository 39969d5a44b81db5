"""Change the sizes in transforms, preprocessors and batch augmentations of a config."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from effnet_dense.data.config_walk import type_name
from effnet_dense.engine.settings.size_change import Size, SizeChange

Setter = Callable[[Any, str, SizeChange], None]
"""Changes an argument of a node, given the argument's name."""

RESIZERS = ('Resize', 'FixScaleResize', 'FixShapeResize', 'ResizeShortestEdge')
"""Transforms that give each image of testing its size."""
RANDOM_RESIZERS = ('RandomResize', 'RandomChoiceResize')


def each_node(node: Any) -> Iterator[Any]:
    """Yield everything in a config that has a type, the outer ones first.

    The transforms within an Albumentations pipeline are left out: they have the names of others.
    """
    if isinstance(node, Mapping):
        if 'type' in node:
            yield node
            if is_albumentations(node):
                return
        for child in node.values():
            yield from each_node(child)
    elif isinstance(node, list | tuple):
        for child in node:
            yield from each_node(child)


def is_albumentations(node: Any) -> bool:
    """Whether a transform applies Albumentations' own transforms."""
    return type_name(node) in ('Albu', 'Albumentations')


def resize_node(node: Any, change: SizeChange, scope: str | None) -> None:
    """Change the sizes among a node's arguments, by its type.

    Args:
        node: Changed in place.
        change: The size in the config and its replacement.
        scope: The config's `default_scope`: crops are (height, width) in mmseg.
    """
    for key, setter in SIZED.get(type_name(node), {}).items():
        if node.get(key) is not None:
            swapped = setter is _crop and is_mmseg(node, scope)
            (_height_first if swapped else setter)(node, key, change)


def crop_size(node: Any, scope: str | None) -> Size | None:
    """Return the fixed (width, height) that a transform or batch augmentation produces, if any."""
    key, height_first = FIXED.get(type_name(node), (None, False))
    value = node.get(key) if key else None
    if value is None or (key == 'crop_size' and not is_fixed_crop(node)):
        return None
    first, second = _pair(value)
    if height_first or (key == 'crop_size' and is_mmseg(node, scope)):
        first, second = second, first
    return int(first), int(second)


def is_mmseg(node: Any, scope: str | None) -> bool:
    """Whether a type without a scope of its own, or with one, is mmseg's."""
    kind = node.get('type', '')
    module = kind if isinstance(kind, str) else getattr(kind, '__module__', '')
    own = module.partition('.')[0] if '.' in module else None
    return own == 'mmseg' or (own in (None, 'effnet_dense') and scope == 'mmseg')


def _fit(node: Any, key: str, change: SizeChange) -> None:
    """Sides within which images are resized: one pair, several, or lengths of the shorter side."""
    value = node[key]
    several = isinstance(value, list | tuple) and isinstance(value[0], list | tuple)
    if node.get('resize_type') == 'ResizeShortestEdge' or (key == 'scales' and not several):
        _side(node, key, change)
        return
    keeps_ratio = node.get('keep_ratio') or type_name(node) == 'BatchResize'
    rule = change.fit if keeps_ratio else change.exact
    if several:
        node[key] = type(value)(rule(scale) for scale in value)
    else:
        node[key] = _as_given(value, rule(_pair(value)))


def _exact(node: Any, key: str, change: SizeChange) -> None:
    """(width, height), or one number for both."""
    node[key] = _as_given(node[key], change.exact(_pair(node[key])))


def _height_first(node: Any, key: str, change: SizeChange) -> None:
    """(height, width), or one number for both."""
    width, height = change.exact(_pair(node[key])[::-1])
    node[key] = _as_given(node[key], (height, width))


def _crop(node: Any, key: str, change: SizeChange) -> None:
    """Sizes of crops: mmdet's are (width, height), or ranges of sides, or shares."""
    if is_fixed_crop(node):
        _exact(node, key, change)
        node.pop('crop_type', None)
    elif node['crop_type'] == 'absolute_range':
        _side(node, key, change)


def is_fixed_crop(node: Any) -> bool:
    """Whether a RandomCrop's results have one size, unless the image is smaller."""
    kind, size = node.get('crop_type', 'absolute'), _pair(node['crop_size'])
    return kind == 'absolute' or (kind == 'absolute_range' and size[0] == size[1])


def _side(node: Any, key: str, change: SizeChange) -> None:
    value = node[key]
    if isinstance(value, list | tuple):
        node[key] = type(value)(change.side(side) for side in value)
    else:
        node[key] = change.side(value)


def _heights(node: Any, key: str, change: SizeChange) -> None:
    multiple = node.get('size_divisor', 32)
    node[key] = type(node[key])(change.height(length, multiple) for length in node[key])


def _width(node: Any, key: str, change: SizeChange) -> None:
    node[key] = change.exact((node[key], 1))[0]


def _height(node: Any, key: str, change: SizeChange) -> None:
    node[key] = change.exact((1, node[key]))[1]


def _divisor(node: Any, key: str, change: SizeChange) -> None:
    """A multiple to which images are padded: changed if it is the size itself."""
    if change.old == (node[key], node[key]):
        node[key] = math.gcd(*change.new)


def _of_tests(node: Any, key: str, change: SizeChange) -> None:
    for name, setter in SEGMENTATION_PREPROCESSOR.items():
        if name != key and node[key].get(name) is not None:
            setter(node[key], name, change)


def _as_given(value: Any, size: tuple[int, int]) -> Any:
    """Return a size in the form of the former value."""
    if isinstance(value, list | tuple):
        return type(value)(size)
    return size[0] if size[0] == size[1] else size


def _pair(value: Any) -> tuple[float, float]:
    return (value[0], value[1]) if isinstance(value, list | tuple) else (value, value)


DETECTION_PREPROCESSOR: dict[str, Setter] = {'pad_size_divisor': _divisor}
SEGMENTATION_PREPROCESSOR: dict[str, Setter] = {
    'size': _height_first,
    'size_divisor': _divisor,
    'test_cfg': _of_tests,
}

SIZED: dict[str, dict[str, Setter]] = {
    'Resize': {'scale': _fit},
    'FixScaleResize': {'scale': _fit},
    'FixShapeResize': {'width': _width, 'height': _height},
    'ResizeShortestEdge': {'scale': _side, 'max_size': _side},
    'RandomResize': {'scale': _fit},
    'RandomChoiceResize': {'scales': _fit, 'max_size': _side},
    'RandomCrop': {'crop_size': _crop},
    'CenterCrop': {'crop_size': _exact},
    'Pad': {'size': _exact},
    'Mosaic': {'img_scale': _exact},
    'CachedMosaic': {'img_scale': _exact},
    'MixUp': {'img_scale': _exact},
    'CachedMixUp': {'img_scale': _exact},
    'RandomMosaic': {'img_scale': _height_first},
    'RandomAffine': {'border': _exact},
    'CutOut': {'cutout_shape': _side},
    'BatchFixedSizePad': {'size': _height_first},
    'BatchSyncRandomResize': {'random_size_range': _heights},
    'BatchResize': {'scale': _fit},
    'DetDataPreprocessor': DETECTION_PREPROCESSOR,
    'BoxInstDataPreprocessor': DETECTION_PREPROCESSOR,
    'TrackDataPreprocessor': DETECTION_PREPROCESSOR,
    'SegDataPreProcessor': SEGMENTATION_PREPROCESSOR,
}
"""Type → argument → how it changes; the sizes of all transforms of mmdet 3.3 and mmseg 1.2."""

FIXED = {
    'BatchFixedSizePad': ('size', True),
    'RandomCrop': ('crop_size', False),
    'Pad': ('size', False),
    'Mosaic': ('img_scale', False),
    'CachedMosaic': ('img_scale', False),
    'RandomMosaic': ('img_scale', True),
}
"""Type → argument that is the size of its results, and whether the height comes first."""
