"""Required fields of COCO records, and their valid values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from effnet_dense.data.columns import (
    LIMIT,
    are_flags,
    are_integers,
    as_boxes,
    as_numbers,
    have_types,
)
from effnet_dense.utils.controls import LONGEST_NAME, bad_name

Fields = dict[str, tuple[Callable[[object], bool], str]]
"""Field → (test of a value, description of valid values)."""


def is_int(value: object) -> bool:
    """Whether a value is an id."""
    return type(value) is int  # excludes booleans


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and -LIMIT < value < LIMIT  # type: ignore[operator]


def is_size(value: object) -> bool:
    """Whether a value is an image's width or height."""
    return _is_number(value) and value > 0  # type: ignore[operator]


def _is_name(value: object) -> bool:
    return type(value) is str and value != '' and '\0' not in value


def _is_class(value: object) -> bool:
    return _is_name(value) and not bad_name(str(value))


def is_box(value: object) -> bool:
    """Whether a value is a box of finite numbers."""
    return type(value) is list and len(value) == 4 and all(map(_is_number, value))


def _is_mask(value: object) -> bool:
    return type(value) in (list, dict) and len(value) > 0  # type: ignore[arg-type]


def _is_flag(value: object) -> bool:
    return value in (0, 1)


CLASS_NAME = f'a name of at most {LONGEST_NAME} characters, none of them a control character'
IMAGE_FIELDS: Fields = {
    'id': (is_int, 'an integer'),
    'file_name': (_is_name, 'a file name'),
    'width': (is_size, 'a positive number of pixels'),
    'height': (is_size, 'a positive number of pixels'),
}
CATEGORY_FIELDS: Fields = {'id': (is_int, 'an integer'), 'name': (_is_class, CLASS_NAME)}
ANNOTATION_FIELDS: Fields = {
    'id': (is_int, 'an integer'),
    'image_id': (is_int, 'an integer'),
    'category_id': (is_int, 'an integer'),
    'bbox': (is_box, 'four finite numbers [x, y, width, height]'),
    'area': (_is_number, 'a finite number'),
}
EVALUATION_FIELDS: Fields = {'iscrowd': (_is_flag, '0 or 1, which evaluation reads')}
MASK_FIELDS: Fields = {'segmentation': (_is_mask, 'polygons or an RLE mask')}


_COLUMNS: dict[Callable[[object], bool], Callable[[Sequence[Any]], bool]] = {
    is_int: are_integers,
    _is_number: lambda values: as_numbers(values) is not None,
    is_box: lambda values: as_boxes(values) is not None,
    _is_flag: are_flags,
    _is_mask: lambda values: have_types(values, list, dict) and all(values),
}
"""Test of a value → one of many at once, which may also refuse valid ones."""


def all_valid(is_valid: Callable[[object], bool], values: Sequence[Any]) -> bool:
    """Whether all values of a field are valid."""
    quick = _COLUMNS.get(is_valid)
    return (quick is not None and quick(values)) or all(map(is_valid, values))


def annotation_fields(masks: bool, evaluated: bool) -> Fields:
    """Select the fields that an annotation needs.

    Args:
        masks: Include 'segmentation'.
        evaluated: Include 'iscrowd', which pycocotools reads.
    """
    fields = ANNOTATION_FIELDS | (EVALUATION_FIELDS if evaluated else {})
    return fields | (MASK_FIELDS if masks else {})
