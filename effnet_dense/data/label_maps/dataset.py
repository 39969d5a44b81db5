"""mmseg's dataset for folders whose images have different suffixes.

Imported by the registry only, because mmseg takes seconds to import.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmseg.datasets import BaseSegDataset

from effnet_dense.data.label_maps.pairs import DrawnPart, LabelSplit, find_pairs
from effnet_dense.registry import DATASETS


@DATASETS.register_module()
class LabelMapDataset(BaseSegDataset):
    """Pairs images (any suffix, in any case) with the PNG files of the same name.

    mmseg's `BaseSegDataset` takes one `img_suffix` for all images and does not check that the
    label maps exist. `data_prefix` has the same keys; images without a label map are left out.

    Args:
        image_end: Ending of the images' names, before the suffix.
        label_end: Ending of the label maps' names.
        part: Part of a dataset without splits: {'name': 'train' or 'val', 'share': …, 'seed': …}
            (see `split_names`); None for all.
        kwargs: mmseg's; `ann_file` has a name per line.
    """

    def __init__(
        self,
        *args: Any,
        image_end: str = '',
        label_end: str = '',
        part: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.image_end = image_end
        self.label_end = label_end
        self.part = None if part is None else DrawnPart(**part)
        super().__init__(*args, **kwargs)
        self.METAINFO = dict(self.metainfo)  # which mmseg's confusion_matrix.py reads

    def load_data_list(self) -> list[dict[str, Any]]:
        """List the samples: 'img_path', 'seg_map_path' and the other keys of mmseg's transforms.

        Raises:
            FileNotFoundError: No image has a label map.
        """
        split = LabelSplit(
            Path(self.data_prefix['img_path']),
            Path(self.data_prefix['seg_map_path']),
            self.image_end,
            self.label_end,
            Path(self.ann_file) if self.ann_file else None,
            self.part,
        )
        samples = [
            {
                'img_path': str(pair.image),
                'seg_map_path': str(pair.label),
                'label_map': self.label_map,
                'reduce_zero_label': self.reduce_zero_label,
                'seg_fields': [],
            }
            for pair in find_pairs(split)
        ]
        if not samples:
            raise FileNotFoundError(
                f'expected images in {split.image_dir} with label maps in {split.label_dir}, '
                'got no pair of the same name'
            )
        return samples
