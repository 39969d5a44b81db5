"""Find parts of a config whose sizes in pixels cannot be changed together with the images'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

from effnet_dense.data.config_walk import type_name
from effnet_dense.engine.settings.size_change import Size
from effnet_dense.engine.settings.sized_nodes import SIZED, each_node, is_albumentations

PLACES = ('train_dataloader', 'val_dataloader', 'test_dataloader', 'tta_pipeline', 'custom_hooks')

SIZES = {
    'crop_shape',
    'crop_size',
    'height',
    'image_size',
    'img_scale',
    'img_size',
    'input_size',
    'max_height',
    'max_size',
    'max_width',
    'min_height',
    'min_width',
    'output_size',
    'scale',
    'scales',
    'size',
    'target_size',
    'width',
}
"""Names of arguments that are sizes in pixels if they are whole numbers."""

OWN_SCALE = {'RandomCenterCropPad'}
"""Transforms that crop images at their own resolution, at which they are also tested."""


def check_nodes(config: Config, size: Size) -> None:
    """Check that all sizes in a config's pipelines are known.

    Raises:
        ValueError: Names the transform, and what to write.
    """
    flag = f'--image-size {" ".join(map(str, dict.fromkeys(size)))}'
    for place in PLACES:
        for node in each_node(config.get(place)):
            name = type_name(node)
            if name in OWN_SCALE:
                raise ValueError(
                    f'{flag}: {name} in {place} crops images at their own resolution, at which '
                    'they are also tested, so that there is no image size; write its crop_size, '
                    'and a Resize before it and in the pipelines of the tests'
                )
            unknown = _unknown_size(node)
            if unknown is not None:
                raise ValueError(
                    f'{flag}: {unknown} of {name} in {place} may be a size that has to change, '
                    f'too: write a Resize and RandomCrop of mmdet or mmseg in place of {name}, or '
                    'all sizes of the pipelines with --cfg-options'
                )


def _unknown_size(node: Any) -> str | None:
    """Return the argument of a transform that may be a size in pixels, and its value."""
    if type_name(node) in SIZED:
        return None
    inner = list(_mappings(node.get('transforms'))) if is_albumentations(node) else [node]
    for part in inner:
        for key, value in part.items():
            if key in SIZES and _is_pixels(value):
                return f'{key}={value}'
    return None


def _mappings(node: Any) -> Iterator[Any]:
    if isinstance(node, Mapping):
        yield node
        for child in node.values():
            yield from _mappings(child)
    elif isinstance(node, list | tuple):
        for child in node:
            yield from _mappings(child)


def _is_pixels(value: Any) -> bool:
    values = value if isinstance(value, list | tuple) else [value]
    return any(isinstance(v, int) and not isinstance(v, bool) and v > 1 for v in values)
