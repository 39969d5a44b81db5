"""Take the values of Pillow's images, in every mode.

| mode | values |
|---|---|
| 1, L, P, RGB, CMYK, YCbCr, HSV | as Pillow converts them to RGB |
| LA, PA, RGBA, and palettes with transparency | the same without alpha |
| I;16 and its byte orders | 16 bits |
| I | 32-bit integers, of which 0 to 65535 by default |
| F | floating point, 0 to 1 by default |
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageOps

from effnet_dense.data.image_files import EXIF_ORIENTATION, QUARTER_TURNS
from effnet_dense.data.image_headers import ALPHA, BITS, FORMAT, SIGNED
from effnet_dense.data.image_values import Range, Raw

DEEP_MODES = ('F', 'I', 'I;16', 'I;16B', 'I;16L', 'I;16N')
ALPHA_MODES = ('LA', 'La', 'PA', 'RGBA', 'RGBa')
PREMULTIPLIED = {'La': 'LA', 'RGBa': 'RGBA'}


def pil_values(image: Image.Image, upright: bool = True, stated: Range | None = None) -> Raw:
    """Take an image's values: (H, W) if it has more than 8 bits, else (H, W, 3) in BGR.

    Args:
        image: An image of any mode.
        upright: Rotate it by its EXIF orientation.
        stated: The range that will be used.

    Raises:
        ValueError: Pillow cannot convert the mode to RGB, or it has reduced 16-bit colours to
            8 bits and `stated` needs all of them.
    """
    if stated is not None and stated[1] > 255 and image.mode not in DEEP_MODES and _reduced(image):
        raise ValueError(
            'Pillow reads only the upper 8 bits of 16-bit colours: expected the path or the array '
            f'of an image whose image_range is {stated[0]:g} to {stated[1]:g}'
        )
    own = _own_range(image)
    bands = ALPHA if _has_alpha(image) else ''
    if upright:
        _load_turned_tiff(image)
        image = ImageOps.exif_transpose(image)
    if image.mode in DEEP_MODES:
        return Raw(np.asarray(image), own, bands)
    if image.mode in PREMULTIPLIED:
        image = image.convert(PREMULTIPLIED[image.mode])
    try:
        rgb = np.asarray(image.convert('RGB'))
    except ValueError as error:
        raise ValueError(f'Pillow cannot convert mode {image.mode} to RGB: {error}') from error
    return Raw(np.ascontiguousarray(rgb[..., ::-1]), None, bands)


def _load_turned_tiff(image: Image.Image) -> None:
    """Load a TIFF image that lies on its side without Pillow's memory map.

    Pillow 13 maps uncompressed files with width and height swapped, which garbles them.
    """
    lies = image.format == 'TIFF' and image.getexif().get(EXIF_ORIENTATION) in QUARTER_TURNS
    if lies and getattr(image, 'tile', None):
        file: Any = image
        name, file.filename = file.filename, ''
        try:
            image.load()
        finally:
            file.filename = name


def _reduced(image: Image.Image) -> bool:
    """Whether the file, which is not loaded yet, has 16-bit colours."""
    tiles = getattr(image, 'tile', None) or ()
    return any(';16' in str(tile[3]) for tile in tiles)


def _own_range(image: Image.Image) -> Range | None:
    """Return the range of a TIFF file of 9 to 15 bits, or of 16 bits with a sign."""
    tags: Any = getattr(image, 'tag_v2', None) or {}
    bits = (tags.get(BITS) or (0,))[0]
    if image.mode == 'I' and bits == 16 and (tags.get(FORMAT) or (1,))[0] == SIGNED:
        return 0.0, 32767.0
    deep = image.mode.startswith('I;16') and 8 < bits < 16
    return (0.0, 2.0**bits - 1) if deep else None


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ALPHA_MODES or 'transparency' in image.info
