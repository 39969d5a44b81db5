"""Label maps: image files that hold the index of a class for every pixel.

Letters: H × W pixels of a picture.

mmseg's `LoadAnnotations` takes the numbers that Pillow makes of a file and casts them to uint8:
a 16-bit map's 256 becomes class 0, a greyscale map of 2 or 4 bits comes scaled to 0–255, and a
colour map becomes an (H, W, 3) "map" that fails later, elsewhere. Values that are no class
reach the loss, which raises on a CPU and aborts the process on a GPU.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine import fileio
from PIL import Image

from effnet_dense.registry import TRANSFORMS

NO_CLASS = 255
"""Value of mmseg's `gt_seg_map` for pixels without a class: its `ignore_index` everywhere."""

MAX_VALUE = 65535
"""Of a 16-bit file."""

LOSSY = ('AVIF', 'JPEG', 'JPEG2000', 'MPO', 'WEBP')
"""Formats (Pillow's names) that change single values, or may."""

PNG_START = b'\x89PNG\r\n\x1a\n'
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
"""What Pillow raises for files that are damaged or no pictures."""

EXPECTED = 'expected one channel with the index of a class per pixel, or a palette image'


def decode_label_map(content: bytes) -> np.ndarray:
    """A label map file's bytes → its values (H, W), uint8 or uint16.

    Palette images give indices, not colours, and greyscale ones the values that were written,
    for any number of bits. Colour images with three equal channels and no transparency are
    greyscale ones that a program saved as colour.

    Raises:
        ValueError: the bytes are no picture, are damaged, lossy, or hold something else.
    """
    if not content:
        raise ValueError('the file is empty')
    try:
        with Image.open(io.BytesIO(content)) as picture:
            if picture.format in LOSSY:
                raise ValueError(f'{picture.format} changes values, expected PNG')
            values = np.asarray(picture)
            mode = picture.mode
    except (*DAMAGED, Image.DecompressionBombError) as error:
        raise ValueError(str(error) or type(error).__name__) from error
    bits, colour_type = _png_header(content)
    if values.ndim == 3:
        if bits == 16:  # of which Pillow keeps the upper eight
            raise ValueError(f'{EXPECTED}, got 16-bit colours or transparency')
        values = _grey_of(values, mode)
    if colour_type == 0 and bits in (2, 4):
        values = values // (255 // (2**bits - 1))  # Pillow spread them over 0–255
    return _unsigned(values, mode)


def _png_header(content: bytes) -> tuple[int, int]:
    """Bits per channel and colour type (PNG specification, 11.2.1): 0 is greyscale."""
    return (content[24], content[25]) if content.startswith(PNG_START) else (8, -1)


def _grey_of(values: np.ndarray, mode: str) -> np.ndarray:
    """The one channel that (H, W, C) values repeat, where alpha says nothing."""
    opaque = True
    if mode in ('LA', 'RGBA'):
        opaque = bool((values[..., -1] == 255).all())
        values = values[..., :-1]
    first = values[..., 0]
    if mode not in ('LA', 'RGB', 'RGBA') or not (opaque and (values == first[..., None]).all()):
        what = 'transparency' if mode == 'LA' or not opaque else 'colours'
        raise ValueError(f'{EXPECTED}, got a {mode} image with {what}')
    return first


def _unsigned(values: np.ndarray, mode: str) -> np.ndarray:
    if values.dtype in (np.bool_, np.uint8):
        return values.astype(np.uint8)
    if values.dtype.kind not in 'iu' or values.min() < 0 or values.max() > MAX_VALUE:
        found = f'{values.min()} to {values.max()}'
        raise ValueError(f'{EXPECTED}, got values from {found} (Pillow mode {mode})')
    return values.astype(np.uint16)


@TRANSFORMS.register_module()
class LoadLabelMap(BaseTransform):
    """Stands where mmseg's `LoadAnnotations` stands, and trusts no file.

    Reads 'seg_map_path', 'reduce_zero_label' and 'label_map' (of mmseg's data sets) and, where an
    image was loaded before, 'ori_shape'. Sets 'gt_seg_map' (H, W) uint8 with 255 for no class,
    and appends its name to 'seg_fields'.

    Args:
        num_classes: of the data set; None lets every value up to 255 pass, as mmseg does.
        ignore: value of the file that means "no class"; None where every pixel has one.
        backend_args: mmengine's, to read files from elsewhere than a disk.
    """

    def __init__(
        self,
        num_classes: int | None = None,
        ignore: int | None = NO_CLASS,
        backend_args: dict[str, Any] | None = None,
    ) -> None:
        if num_classes is not None and not 0 < num_classes <= NO_CLASS:
            raise ValueError(f'expected 1 to {NO_CLASS} classes, got num_classes={num_classes}')
        self.num_classes = num_classes
        self.ignore = ignore
        self.backend_args = backend_args

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load results['seg_map_path'].

        Raises:
            FileNotFoundError: no such file.
            ValueError: no label map (see `decode_label_map`), a size other than the image's, or
                values that are neither a class nor `ignore`.
        """
        path = results['seg_map_path']
        content = fileio.get(path, backend_args=self.backend_args)
        try:
            values = decode_label_map(content)
        except ValueError as error:
            raise ValueError(f'cannot read label map {path}: {error}') from error
        self._check_size(values, results)
        labels = label_table(
            int(np.iinfo(values.dtype).max) + 1,
            self.num_classes,
            self.ignore,
            bool(results.get('reduce_zero_label')),
            results.get('label_map') or {},
        )[values]
        if (labels < 0).any():
            raise ValueError(self._describe(path, values[labels < 0]))
        results['gt_seg_map'] = labels.astype(np.uint8)
        results['seg_fields'].append('gt_seg_map')
        return results

    def _check_size(self, values: np.ndarray, results: Mapping[str, Any]) -> None:
        """Compare with the image as loaded: test pipelines resize it before labels are read."""
        expected = tuple(results.get('ori_shape') or values.shape)
        if values.shape != expected:
            raise ValueError(
                f'label map {results["seg_map_path"]} is {size_name(values.shape)} pixels '
                f'(width × height), its image {size_name(expected)}'
            )

    def _describe(self, path: str, wrong: np.ndarray) -> str:
        found = np.unique(wrong, return_counts=True)
        listed = ', '.join(f'{value} ({count} pixels)' for value, count in zip(*found, strict=True))
        classes = self.num_classes or NO_CLASS
        ignored = 'no value is ignored' if self.ignore is None else f'{self.ignore} is ignored'
        return f'label map {path}: expected classes 0 to {classes - 1} ({ignored}), got {listed}'

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(num_classes={self.num_classes}, ignore={self.ignore}, '
            f'backend_args={self.backend_args})'
        )


def label_table(
    size: int,
    num_classes: int | None,
    ignore: int | None,
    reduce_zero_label: bool,
    label_map: Mapping[int, int],
) -> np.ndarray:
    """Value of a file → label, as an array (size,) int16; 255 is no class, −1 what must not occur.

    `reduce_zero_label` takes 0 for no class and moves the others down by one; `label_map` then
    renumbers or drops classes (mmseg's `BaseSegDataset.get_label_map`).
    """
    values = np.arange(size)
    reduced = np.where(values == NO_CLASS, NO_CLASS, values - 1) if reduce_zero_label else values
    table = reduced.copy()
    for old, new in label_map.items():
        table[reduced == old] = new
    dropped = np.isin(reduced, [old for old, new in label_map.items() if new == NO_CLASS])
    no_class = dropped | (values == (-1 if ignore is None else ignore)) | (reduced < 0)
    if num_classes is None:
        no_class |= values == NO_CLASS  # as for mmseg, which knows no other
    limit = NO_CLASS if num_classes is None else num_classes
    return np.where(no_class, NO_CLASS, np.where(table < limit, table, -1)).astype(np.int16)


def size_name(shape: tuple[int, ...]) -> str:
    """'480 × 360' of (360, 480)."""
    return f'{shape[1]} × {shape[0]}'
