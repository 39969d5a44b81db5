"""Transform that loads label maps in mmseg's pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from effnet_dense.data.image_errors import ImageSizeError
from effnet_dense.data.image_files import size_name
from effnet_dense.data.label_maps.decode import NO_CLASS, decode_label_map
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

    Raises:
        ValueError: `num_classes` does not fit in the values below 255.
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
            FileNotFoundError: The file does not exist.
            ValueError: Not a label map (see `decode_label_map`), of a different size than the
                image, or with values that are neither a class nor `ignore`.
        """
        path = results['seg_map_path']
        try:
            values = decode_label_map(read_file(path, self.backend_args))
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
