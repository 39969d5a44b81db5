"""Images without objects train where a config asks for them.

With `filter_cfg=dict(filter_empty_gt=False)` mmdet's datasets keep these images, but its
`RandomCrop` (mmdet 3.3, `datasets/transforms/transforms.py`) rejects every crop without a box, so
that another image replaces each of them. Here the dataset marks them, and the crop accepts what is
marked. A crop that loses the boxes of an image is rejected as before.

Only datasets whose pipeline has a transform of this package mark images.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from effnet_dense.compat.after_import import after_import
from effnet_dense.utils.sample_keys import KEEP_EMPTY

PACKAGE = __name__.partition('.')[0]


def keep_empty_images() -> None:
    """Change mmdet's datasets and its crop as soon as they are imported."""
    after_import('mmdet.datasets.base_det_dataset', mark_empty_images)
    after_import('mmdet.datasets.transforms.transforms', crop_empty_images)


def mark_empty_images(module: ModuleType) -> None:
    """Make mmdet's datasets mark the images without objects that they were asked to keep.

    Args:
        module: `mmdet.datasets.base_det_dataset`.
    """
    base = module.BaseDetDataset
    original = base.get_data_info

    def get_data_info(self: Any, idx: int) -> dict[str, Any]:
        info: dict[str, Any] = original(self, idx)
        if not has_objects(info) and is_asked_for(self):
            info[KEEP_EMPTY] = True
        return info

    base.get_data_info = get_data_info


def crop_empty_images(module: ModuleType) -> None:
    """Make mmdet's `RandomCrop` accept marked images.

    Args:
        module: `mmdet.datasets.transforms.transforms`.
    """
    original = module.RandomCrop._crop_data

    def _crop_data(self: Any, results: Any, crop_size: Any, allow_negative_crop: bool) -> Any:
        empty = KEEP_EMPTY in results and not len(results.get('gt_bboxes', ()))
        return original(self, results, crop_size, allow_negative_crop or empty)

    module.RandomCrop._crop_data = _crop_data


def has_objects(info: Mapping[str, Any]) -> bool:
    """Whether a sample of mmdet's datasets has boxes; in panoptic ones, those of things."""
    if 'segments_info' in info:
        return any(segment['is_thing'] for segment in info['segments_info'])
    return bool(info.get('instances', True))


def is_asked_for(dataset: Any) -> bool:
    """Whether a dataset keeps images without objects, and its pipeline is this package's."""
    if dataset.test_mode or (dataset.filter_cfg or {}).get('filter_empty_gt', False):
        return False
    transforms = getattr(dataset.pipeline, 'transforms', ())
    return any(type(step).__module__.partition('.')[0] == PACKAGE for step in transforms)
