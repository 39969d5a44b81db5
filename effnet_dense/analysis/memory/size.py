"""The size of the images that a config trains on, as the network gets them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from effnet_dense.data.config_walk import type_name

Size = tuple[int, int]  # height, width


def network_size(config: Config) -> Size:
    """Height and width, from the data preprocessor, or else from the training pipeline.

    Of several scales it is the largest; a relative range, as RandomResize's, is left out.

    Raises:
        ValueError: neither says it.
    """
    preprocessor = config.model.get('data_preprocessor') or {}
    for augment in preprocessor.get('batch_augments') or ():
        if type_name(augment) == 'BatchFixedSizePad':
            return _pair(augment['size'])
    if preprocessor.get('size'):
        return _pair(preprocessor['size'])
    crop_is_height_width = config.get('default_scope') == 'mmseg'
    sizes = [size for t in _pipeline(config) for size in _sizes(t, crop_is_height_width)]
    if not sizes:
        raise ValueError('the config does not say how large its training images are; pass --size')
    divisor = preprocessor.get('pad_size_divisor') or 1
    height, width = sizes[-1]
    return -(-height // divisor) * divisor, -(-width // divisor) * divisor


def check_size(size: Size) -> None:
    """Raise a ValueError for what is no size of an image."""
    if min(size) < 1:
        raise ValueError(f'images have at least one pixel, got a size of {size[0]} × {size[1]}')


def _pipeline(config: Config) -> list[Any]:
    """The transforms of the training data, those of wrapped data sets first."""
    found: list[Any] = []
    dataset = (config.get('train_dataloader') or {}).get('dataset') or {}
    while dataset:
        found = [*(dataset.get('pipeline') or ()), *found]
        inner = dataset.get('dataset') or (dataset.get('datasets') or [None])[0]
        # A data set wrapped by its variable's name is not to be looked at.
        dataset = inner if isinstance(inner, dict) else {}
    return list(_flat(found))


def _flat(transforms: Any) -> Iterator[Any]:
    """Transforms, and those of RandomChoice, which hold lists of them."""
    for transform in transforms:
        if isinstance(transform, list | tuple):
            yield from _flat(transform)
        else:
            yield transform
            yield from _flat(transform.get('transforms') or ())


def _sizes(transform: Any, crop_is_height_width: bool) -> Iterator[Size]:
    """What a transform makes; scales are (width, height), mmseg's crops the other way round."""
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
        flipped = key == 'crop_size' and crop_is_height_width
        yield _pair(pair if flipped else pair[::-1])


def _pair(size: Any) -> Size:
    height, width = (size, size) if isinstance(size, int) else size
    return int(height), int(width)
