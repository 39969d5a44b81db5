"""Compare an image's size with those of its record and of its label map."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from effnet_dense.data.image_errors import ImageSizeError
from effnet_dense.data.image_files import (
    EXIF_ORIENTATION,
    QUARTER_TURNS,
    REFUSED,
    UNREADABLE,
    image_size,
    size_name,
)

Size = tuple[int, int]
"""Width and height."""


def compare_sizes(sample: Mapping[str, Any], size: Size, local: bool = True) -> None:
    """Compare a loaded image with its sample's 'width' and 'height', and with its label map.

    Args:
        sample: Of mmdet's or mmseg's datasets; what it lacks is not compared.
        size: The image's, as loaded.
        local: Files are on a disk: the header of the label map is read.

    Raises:
        ImageSizeError: They differ.
    """
    record = sample.get('width'), sample.get('height')
    if all(isinstance(side, int | float) and side > 0 for side in record) and record != size:
        _fail(sample['img_path'], size, 'its record says', (int(record[0]), int(record[1])))  # type: ignore[arg-type]
    label_map = sample.get('seg_map_path')
    found = _size_of(label_map) if local and label_map else None
    if found is not None and found != size:
        _fail(sample['img_path'], size, f'its label map {label_map} is', found)


def _size_of(label_map: str) -> Size | None:
    """Read a label map's size, which no orientation changes; its own loader reports its faults."""
    try:
        return image_size(label_map, upright=False) if os.path.isfile(label_map) else None
    except UNREADABLE:
        return None


def _fail(path: str, size: Size, what: str, other: Size) -> None:
    raise ImageSizeError(
        path,
        f'image {path} is {size_name(*size)} pixels (width × height), {what} '
        f'{size_name(*other)}{swap_hint(path, size, other)}',
    )


def swap_hint(path: str | Path, size: Size, other: Size, upright: bool = True) -> str:
    """Say whether two sizes are swapped by the image's orientation; '' if not.

    Args:
        path: The image.
        size: Its size as loaded.
        other: The one that it is compared with.
        upright: The image is rotated by its orientation when it is loaded.
    """
    if size != other[::-1] or size == other:
        return ''
    try:
        with Image.open(path) as image:
            turned = image.getexif().get(EXIF_ORIENTATION) in QUARTER_TURNS
    except REFUSED:
        turned = False
    if not turned:
        return ''
    if not upright:
        return (
            ': swapped by its EXIF orientation, which was applied when it was annotated, but is '
            'not when it is loaded (color_type of LoadImageFromFile)'
        )
    return (
        ': swapped by its EXIF orientation, which is applied when it is loaded, but was not when '
        'it was annotated'
    )
