"""Check sizes, factors and probabilities in a config's pipelines and anchors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from effnet_dense.data.config_walk import type_name
from effnet_dense.engine.checks.numbers import is_number

SIZES = {'crop_size', 'img_scale', 'img_size', 'scale', 'scales', 'size'}
RANGES = {'ratio_range', 'scale_range'}
DIVISORS = {'pad_size_divisor', 'size_divisor'}


def check_sizes(cfg: Any) -> None:
    """Check the numbers that transforms and data preprocessors resize, crop and pad to.

    Raises:
        ValueError: Names the first that is no size, and its value.
    """
    for loop in ('train', 'val', 'test'):
        loader = cfg.get(f'{loop}_dataloader')
        if isinstance(loader, Mapping):
            for key, name, value in _entries(f'{loop}_dataloader.dataset', loader.get('dataset')):
                _check(f'{key}.{name}', name, value)
    for key, name, value in _entries('tta_pipeline', cfg.get('tta_pipeline')):
        _check(f'{key}.{name}', name, value)
    model = cfg.get('model')
    if isinstance(model, Mapping):
        preprocessor = model.get('data_preprocessor')
        for key, name, value in _entries('model.data_preprocessor', preprocessor):
            _check(f'{key}.{name}', name, value)
            if name == 'std' and value is not None and not all(map(_is_std, _numbers(value))):
                raise ValueError(f'{key}.std must be finite numbers above 0, got {value!r}')
            if name == 'mean' and not all(map(_is_mean, _numbers(value))):
                raise ValueError(f'{key}.mean must be finite numbers, got {value!r}')


def _check(key: str, name: str, value: Any) -> None:
    if value is None:
        return
    numbers = list(_numbers(value))
    if name in SIZES and not (numbers and all(_is_positive(number) for number in numbers)):
        raise ValueError(f'{key} must be sizes or factors above 0, got {value!r}')
    if name in RANGES and not (
        len(numbers) == 2 and all(map(_is_positive, numbers)) and numbers[0] <= numbers[1]
    ):
        raise ValueError(f'{key} must be two ascending factors above 0, got {value!r}')
    if name in DIVISORS and not all(_is_positive(number) for number in numbers):
        raise ValueError(f'{key} must be a whole number above 0, got {value!r}')


def _is_positive(number: Any) -> bool:
    """Whether a value is a number above 0; infinite ones stand for an unlimited side."""
    return is_number(number) and not math.isnan(number) and number > 0


def _is_std(number: Any) -> bool:
    return _is_positive(number) and number < math.inf


def _is_mean(number: Any) -> bool:
    return number is None or (is_number(number) and math.isfinite(number))


def _numbers(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for child in value:
            yield from _numbers(child)
    else:
        yield value


def _entries(key: str, node: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield the arguments of everything in a config that has a type: its key, name and value."""
    if isinstance(node, list | tuple):
        for index, child in enumerate(node):
            yield from _entries(f'{key}.{index}', child)
    elif isinstance(node, Mapping):
        kind = type_name(node)
        for name, value in node.items():
            # Others give these names another meaning, such as albumentations' shares.
            if 'type' in node and not isinstance(value, Mapping) and kind in READ:
                yield key, str(name), value
            if name != 'metainfo':
                yield from _entries(f'{key}.{name}', value)


READ = {
    'BatchFixedSizePad',
    'BatchSyncRandomResize',
    'CachedMixUp',
    'CachedMosaic',
    'DetDataPreprocessor',
    'FixScaleResize',
    'MixUp',
    'Mosaic',
    'MultiScaleDetResize',
    'Pad',
    'RandomCenterCropPad',
    'RandomChoiceResize',
    'RandomCrop',
    'RandomResize',
    'Resize',
    'ResizeShortestEdge',
    'ResizeToMultiple',
    'SegDataPreProcessor',
}
"""Types whose arguments of these names are sizes in pixels, or factors of them."""
