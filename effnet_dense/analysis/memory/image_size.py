"""Find the image size on which a config trains its network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from effnet_dense.data.config_walk import type_name

Size = tuple[int, int]
"""Height, width in pixels."""


def network_input_size(config: Config) -> Size:
    """Return (height, width) from the data preprocessor, or else from the training pipeline.

    Of several scales the largest is used; relative ranges, such as RandomResize's, are ignored.

    Raises:
        ValueError: Neither states a size.
    """
    preprocessor = config.model.get('data_preprocessor') or {}
    for augment in preprocessor.get('batch_augments') or ():
        if type_name(augment) == 'BatchFixedSizePad':
            return _pair(augment['size'])
    if preprocessor.get('size'):
        return _pair(preprocessor['size'])
    crop_is_height_width = config.get('default_scope') == 'mmseg'
    sizes = [size for t in _train_transforms(config) for size in _sizes(t, crop_is_height_width)]
    if not sizes:
        raise ValueError('the config does not state the size of training images; pass --size')
    divisor = preprocessor.get('pad_size_divisor') or 1
    height, width = sizes[-1]
    return -(-height // divisor) * divisor, -(-width // divisor) * divisor


LARGEST_SIDE = 1 << 14


def check_size(size: Size) -> None:
    """Raise a ValueError for an image without pixels, or with more than is predicted in seconds."""
    if max(size) > LARGEST_SIDE:
        raise ValueError(
            f'images have at most {LARGEST_SIDE} pixels per side, got a size of '
            f'{size[0]} × {size[1]}'
        )
    if min(size) < 1:
        raise ValueError(f'images have at least one pixel, got a size of {size[0]} × {size[1]}')


def _train_transforms(config: Config) -> list[Any]:
    """Return the transforms of the training data, those of wrapped datasets first."""
    found: list[Any] = []
    dataset = (config.get('train_dataloader') or {}).get('dataset') or {}
    while dataset:
        found = [*(dataset.get('pipeline') or ()), *found]
        inner = dataset.get('dataset') or (dataset.get('datasets') or [None])[0]
        # A string names a variable that holds the wrapped dataset; it is not resolved.
        dataset = inner if isinstance(inner, dict) else {}
    return list(_flatten(found))


def _flatten(transforms: Any) -> Iterator[Any]:
    """Yield transforms and the ones inside them; RandomChoice holds lists of transforms."""
    for transform in transforms:
        if isinstance(transform, list | tuple):
            yield from _flatten(transform)
        else:
            yield transform
            yield from _flatten(transform.get('transforms') or ())


def _sizes(transform: Any, crop_is_height_width: bool) -> Iterator[Size]:
    """Yield a transform's output sizes; scales are (width, height), mmseg's crops are not."""
    if 'Albu' in type_name(transform):
        return
    for key in ('scales', 'scale', 'crop_size'):
        value = transform.get(key)
        if not value or isinstance(value, float | int):
            continue
        pairs = value if isinstance(value[0], list | tuple) else [value]
        pair = max(pairs, key=lambda pair: pair[0] * pair[1])
        if any(isinstance(side, float) for side in pair):
            continue  # a fraction of the image
        height_first = key == 'crop_size' and crop_is_height_width
        yield _pair(pair if height_first else pair[::-1])


def _pair(size: Any) -> Size:
    height, width = (size, size) if isinstance(size, int) else size
    return int(height), int(width)
