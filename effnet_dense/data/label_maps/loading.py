"""Transform that loads label maps in mmseg's pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from effnet_dense.data.image_errors import BadLabelError, ImageSizeError
from effnet_dense.data.image_files import size_name
from effnet_dense.data.label_maps.colours import ColourTable, colour_name, parse_colour
from effnet_dense.data.label_maps.decode import (
    MAX_VALUE,
    NO_CLASS,
    decode_colours,
    decode_label_map,
)
from effnet_dense.registry import TRANSFORMS
from effnet_dense.utils.regular_files import read_file


@TRANSFORMS.register_module()
class LoadLabelMap(BaseTransform):
    """Load and check a label map, in place of mmseg's `LoadAnnotations`.

    Reads 'seg_map_path', 'reduce_zero_label' and 'label_map' (of mmseg's datasets) and, if an
    image was loaded before, 'ori_shape'. Sets 'gt_seg_map' (H, W) uint8 with 255 for no class,
    and appends its name to 'seg_fields'.

    Args:
        num_classes: Number of classes; None accepts every value up to 255, as mmseg does.
        ignore: Value of pixels without a class in the file; None if every pixel has one.
        backend_args: mmengine's, to read files that are not on a disk.
        values: Value in the file → label, 255 for no class, if values are not the labels:
            {'0': 255, '255': 0}. `ignore` is not used then.
        colours: Colour in the file → label, for files of colours: {'#ff0000': 0, '#000000': 255}.
        unknown_ignored: Values and colours that are not listed have no class; by default they are
            errors.
        reduce_zero_label: The dataset's, as in mmseg's `LoadAnnotations`: 0 is no class and the
            others move down by one. By default what the dataset says.

    Raises:
        ValueError: `num_classes` does not fit in the values below 255, or `values` or `colours`
            are not such tables.
    """

    def __init__(
        self,
        num_classes: int | None = None,
        ignore: int | None = NO_CLASS,
        backend_args: dict[str, Any] | None = None,
        values: Mapping[Any, int] | None = None,
        colours: Mapping[str, int] | None = None,
        unknown_ignored: bool = False,
        reduce_zero_label: bool | None = None,
    ) -> None:
        if num_classes is not None and not 0 < num_classes <= NO_CLASS:
            raise ValueError(f'expected 1 to {NO_CLASS} classes, got num_classes={num_classes}')
        if values is not None and colours is not None:
            raise ValueError('expected values or colours, got both')
        self.num_classes = num_classes
        self.ignore = ignore
        self.backend_args = backend_args
        self.values = None if values is None else _checked(values, _value_of, num_classes)
        self.colours = None if colours is None else _checked(colours, parse_colour, num_classes)
        self.unknown_ignored = unknown_ignored
        self.reduce_zero_label = reduce_zero_label
        self._lookup = None if self.colours is None else ColourTable(self.colours)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load results['seg_map_path'].

        Raises:
            FileNotFoundError: The file does not exist.
            BadLabelError: Not a label map (see `decode_label_map`), or with values that are neither
                a class nor `ignore` (a ValueError).
            ImageSizeError: It is of a different size than the image (a ValueError).
            ValueError: `reduce_zero_label` is not the dataset's.
        """
        path = results['seg_map_path']
        given = bool(results.get('reduce_zero_label'))
        if self.reduce_zero_label not in (None, given):
            raise ValueError(
                f'reduce_zero_label is {given} in the dataset, but {self.reduce_zero_label} in '
                'LoadLabelMap: write it in the dataset'
            )
        decode = decode_label_map if self.colours is None else decode_colours
        try:
            values = decode(read_file(path, self.backend_args))
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as error:
            raise BadLabelError(path, f'cannot read label map {path}: {error}') from error
        self._check_size(values, results)
        labels = self._labels(values, results)
        if (labels < 0).any():
            if not self.unknown_ignored:
                raise BadLabelError(path, self._describe(path, values[labels < 0]))
            labels[labels < 0] = NO_CLASS
        results['gt_seg_map'] = labels.astype(np.uint8)
        results['seg_fields'].append('gt_seg_map')
        return results

    def _labels(self, values: np.ndarray, results: Mapping[str, Any]) -> np.ndarray:
        """Map what the file stores to labels (H, W); 255 is no class, −1 is invalid."""
        reduced = bool(results.get('reduce_zero_label'))
        label_map = results.get('label_map') or {}
        size = int(np.iinfo(values.dtype).max) + 1
        if self.colours is None and self.values is None:
            return label_table(size, self.num_classes, self.ignore, reduced, label_map)[values]
        if self._lookup is not None:
            labels = self._lookup(values)
        else:
            labels = value_table(size, self.values or {})[values]
        if reduced or label_map:
            last = label_table(NO_CLASS + 1, self.num_classes, NO_CLASS, reduced, label_map)
            labels = np.where(labels < 0, labels, last[labels])
        return labels

    def _check_size(self, values: np.ndarray, results: Mapping[str, Any]) -> None:
        """Compare to the image as loaded: test pipelines resize it before labels are read."""
        expected = tuple(results.get('ori_shape') or values.shape)
        if values.shape != expected:
            path = results['seg_map_path']
            raise ImageSizeError(
                path,
                f'label map {path} is {size_name(*values.shape[::-1])} pixels (width × height), '
                f'its image {size_name(*expected[::-1])}',
            )

    def _describe(self, path: str, wrong: np.ndarray) -> str:
        found = np.unique(wrong, return_counts=True)
        write = str if self.colours is None else colour_name
        listed = ', '.join(
            f'{write(int(value))} ({count} pixels)'
            for value, count in [*zip(*found, strict=True)][:LISTED]
        )
        more = f' and {len(found[0]) - LISTED} more' if len(found[0]) > LISTED else ''
        table = self.values if self.colours is None else self.colours
        if table is not None:
            known = ', '.join(map(write, [*table][:LISTED])) + (
                ', …' if len(table) > LISTED else ''
            )
            kind = 'values' if self.colours is None else 'colours'
            return f'label map {path}: expected the {kind} {known}, got {listed}{more}'
        classes = self.num_classes or NO_CLASS
        ignored = 'no value is ignored' if self.ignore is None else f'{self.ignore} is ignored'
        return (
            f'label map {path}: expected classes 0 to {classes - 1} ({ignored}), got {listed}{more}'
        )

    def __repr__(self) -> str:
        stated = f', values={self.values}' if self.values is not None else ''
        if self.colours is not None:
            colours = {colour_name(code): label for code, label in self.colours.items()}
            stated += f', colours={colours}'
        stated += ', unknown_ignored=True' if self.unknown_ignored else ''
        return (
            f'{type(self).__name__}(num_classes={self.num_classes}, ignore={self.ignore}, '
            f'backend_args={self.backend_args}{stated})'
        )


LISTED = 20
"""Number of values or colours that an error quotes."""


def label_table(
    size: int,
    num_classes: int | None,
    ignore: int | None,
    reduce_zero_label: bool,
    label_map: Mapping[int, int],
) -> np.ndarray:
    """Map a file's values to labels: an array (size,) int16; 255 is no class, −1 is invalid.

    `reduce_zero_label` makes 0 no class and moves the others down by one; `label_map` then
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
        no_class |= values == NO_CLASS  # as in mmseg, which has no other
    limit = NO_CLASS if num_classes is None else num_classes
    return np.where(no_class, NO_CLASS, np.where(table < limit, table, -1)).astype(np.int16)


def value_table(size: int, values: Mapping[int, int]) -> np.ndarray:
    """Map a file's values to labels by a table: an array (size,) int16; −1 is invalid."""
    table = np.full(size, -1, dtype=np.int16)
    for value, label in values.items():
        if value < size:
            table[value] = label
    return table


def _value_of(value: Any) -> int | None:
    try:
        number = int(value)
    except (TypeError, ValueError):
        return None
    return number if 0 <= number <= MAX_VALUE else None


def _checked(table: Mapping[Any, int], parse: Any, num_classes: int | None) -> dict[int, int]:
    """Return a table with parsed keys."""
    found: dict[int, int] = {}
    for key, label in table.items():
        code = parse(key)
        if code is None or code in found:
            what = 'is listed twice' if code in found else 'is no value or colour'
            raise ValueError(f'LoadLabelMap: {key!r:.60} {what}')
        limit = NO_CLASS if num_classes is None else num_classes
        if type(label) is not int or not (0 <= label < limit or label == NO_CLASS):
            raise ValueError(
                f'LoadLabelMap: expected labels 0 to {limit - 1}, or {NO_CLASS} for no class, got '
                f'{key!r:.60}: {label!r:.60}'
            )
        found[code] = label
    return found
