"""Albumentations transforms in pipelines of mmdet and mmseg."""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence
from typing import Any

import albumentations
import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks, PolygonMasks

from effnet_dense.data.transforms.albumentations_config import build_transform
from effnet_dense.data.transforms.policy_tables import albumentations_policy
from effnet_dense.registry import TRANSFORMS
from effnet_dense.utils.sample_keys import KEEP_EMPTY

KEYS = {'image': 'img', 'bboxes': 'gt_bboxes', 'masks': 'gt_masks', 'mask': 'gt_seg_map'}
"""Albumentations' name → the pipeline's default key."""

BOX_FIELDS = {'gt_bboxes_labels': np.int64, 'gt_ignore_flags': np.bool_}
"""mmdet's other keys with one value for each box, and their types."""


@TRANSFORMS.register_module()
class Albumentations(BaseTransform):
    """Albumentations transforms of image, boxes, instance masks and label map together.

    Accepts the configs of mmdet's and mmseg's `Albu`, with these differences:

    - Label maps are transformed in mmdet too, and boxes even without `bbox_params`.
    - Boxes are clipped to the image first. If a box or all of its mask leaves the image, its label,
      flag and mask are removed too; types stay the same if none remains.
    - Transforms get RGB, as they expect; the pipeline's BGR is restored.
    - Unknown arguments are errors (Albumentations only warns, and uses defaults).
    - The generators are seeded from numpy's, which mmengine seeds, or `seed_draws` for each sample.

    Args:
        transforms: Configs like `dict(type='Blur', blur_limit=3)`, nested in `OneOf` and so on; or
            a policy: 'light', 'medium', 'heavy'.
        bbox_params: Arguments of `albumentations.BboxParams`, such as `min_visibility`. `format`
            must be 'pascal_voc', mmdet's; `label_fields` names further keys with one value for
            each box; `filter_lost_elements` is always on.
        keymap: Pipeline key → Albumentations' name; by default `dict(img='image',
            gt_bboxes='bboxes', gt_masks='masks', gt_seg_map='mask')`.
        skip_img_without_anno: Return None if no box remains: the dataset then takes another image.
            Images that have none from the beginning, and are to be trained on
            (`filter_empty_gt=False`), stay.
        seg_pad_val: Fill value of label maps outside the image; instance masks get 0.

    Raises:
        ValueError: An unknown or renamed transform, argument, format or key.
    """

    def __init__(
        self,
        transforms: str | Sequence[dict[str, Any]],
        bbox_params: dict[str, Any] | None = None,
        keymap: dict[str, str] | None = None,
        skip_img_without_anno: bool = False,
        seg_pad_val: int = 255,
    ) -> None:
        configs = albumentations_policy(transforms) if isinstance(transforms, str) else transforms
        self.fields, parameters = _box_parameters(bbox_params or {})
        self.transforms = [dict(config) for config in configs]
        self.keys = _keys(keymap or {})
        self.skip_img_without_anno = skip_img_without_anno
        self.seg_pad_val = seg_pad_val
        made = [build_transform(config, seg_pad_val) for config in configs]
        with warnings.catch_warnings():  # it warns if all transforms change colours only
            warnings.filterwarnings('ignore', 'Got processor for bboxes, but no transform')
            self.aug = albumentations.Compose(made, bbox_params=parameters)

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Transform a sample's image (H, W, 3) uint8 and, if it has them, boxes, masks, label map.

        Raises:
            ValueError: An image of another type, boxes that are not horizontal, or label fields
                that the sample lacks.
        """
        words = np.random.randint(0, 2**32, 8, dtype=np.uint32)
        numbers = np.random.default_rng(words[:4]), random.Random(words[4:].tobytes())
        self.aug.set_random_state(*numbers)
        made = self.aug(**self._arrays(results))
        image = np.ascontiguousarray(made['image'][..., ::-1])
        results[self.keys['image']] = image
        for key in ('img_shape', 'pad_shape'):
            if key == 'img_shape' or key in results:
                results[key] = image.shape[:2]
        label_map = self.keys['mask']
        if 'mask' in made:
            kind = results[label_map].dtype
            results[label_map] = _from_zero(made['mask'], self.seg_pad_val).astype(kind)
        if self.keys['bboxes'] not in results:
            return results
        empty = KEEP_EMPTY in results and not len(results[self.keys['bboxes']])
        kept = self._put_instances(results, made, image.shape[:2])
        return results if kept or empty or not self.skip_img_without_anno else None

    def _arrays(self, results: dict[str, Any]) -> dict[str, Any]:
        """Collect Albumentations' inputs: boxes with their position, masks if there are any."""
        image = results[self.keys['image']]
        if image.dtype != np.uint8 or image.ndim != 3:
            raise ValueError(
                f'expected an image (H, W, 3) of uint8, got {image.shape} of {image.dtype}: '
                'albumentations reads other types as values of 0 to 1'
            )
        boxes = _box_array(results.get(self.keys['bboxes'], np.zeros((0, 4))))
        arrays = dict(image=cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        arrays.update(bboxes=boxes, number=np.arange(len(boxes)))
        masks = _bitmaps(results.get(self.keys['masks']))
        if masks is not None and len(masks):
            arrays['masks'] = masks
        if self.keys['mask'] in results:
            arrays['mask'] = _to_zero(results[self.keys['mask']], self.seg_pad_val)
        return arrays

    def _put_instances(
        self, results: dict[str, Any], made: dict[str, Any], shape: tuple[int, int]
    ) -> int:
        """Put boxes and their fields into the sample; returns the number of remaining boxes."""
        kept = np.asarray(made['number'], dtype=np.int64).reshape(-1)
        boxes = np.asarray(made['bboxes'], dtype=np.float32).reshape(-1, 4)
        before = _bitmaps(results.get(self.keys['masks']))
        if 'masks' in made and before is not None:
            visible = np.asarray(made['masks'])[kept].any(axis=(1, 2))
            was_empty = ~before[kept].any(axis=(1, 2))
            boxes, kept = boxes[visible | was_empty], kept[visible | was_empty]
        results[self.keys['bboxes']] = HorizontalBoxes(torch.from_numpy(boxes))
        for field in self._fields_of(results):
            values = np.asarray(results[field])
            results[field] = values[kept].astype(BOX_FIELDS.get(field, values.dtype))
        if self.keys['masks'] in results:
            masks = made.get('masks')
            chosen = np.zeros((0, *shape), np.uint8) if masks is None else np.asarray(masks)[kept]
            results[self.keys['masks']] = BitmapMasks(chosen.astype(np.uint8), *shape)
        return len(kept)

    def _fields_of(self, results: dict[str, Any]) -> list[str]:
        """List the sample's keys with one value for each box."""
        missing = [field for field in self.fields if field not in results]
        if missing:
            raise ValueError(f'label_fields {missing} are not in the sample: {sorted(results)}')
        return list(dict.fromkeys([*(f for f in BOX_FIELDS if f in results), *self.fields]))

    def __repr__(self) -> str:
        return f'{type(self).__name__}(transforms={self.transforms})'


def _keys(keymap: dict[str, str]) -> dict[str, str]:
    """Map Albumentations' names to the pipeline's keys."""
    unknown = set(keymap.values()) - set(KEYS)
    if unknown:
        raise ValueError(
            f'keymap has the unknown values {sorted(unknown)}, expected some of {list(KEYS)}'
        )
    return {**KEYS, **{target: key for key, target in keymap.items()}}


def _box_parameters(config: dict[str, Any]) -> tuple[list[str], albumentations.BboxParams]:
    """Split `bbox_params` into label fields and Albumentations' parameters.

    Albumentations gets each box's position as its only label field.
    """
    given = {**config}
    kind = given.pop('type', 'BboxParams')
    form = given.pop('format', 'pascal_voc')
    given.pop('filter_lost_elements', None)
    fields = list(given.pop('label_fields', None) or [])
    if kind not in ('BboxParams', albumentations.BboxParams) or form != 'pascal_voc':
        raise ValueError(
            f"expected bbox_params of BboxParams(format='pascal_voc'), got {kind}(format={form!r})"
        )
    given = {'clip': True, 'filter_invalid_bboxes': True, **given}
    try:
        made = albumentations.BboxParams('pascal_voc', ['number'], **given)
    except TypeError as error:
        raise ValueError(f'bbox_params: {error}') from error
    return fields, made


def _box_array(boxes: Any) -> np.ndarray:
    """Convert to boxes (N, 4), x1 y1 x2 y2 in pixels."""
    if isinstance(boxes, HorizontalBoxes):
        boxes = boxes.tensor
    array = np.asarray(boxes, dtype=np.float32)
    if array.shape[1:] != (4,):
        raise ValueError(f'expected horizontal boxes (N, 4), got {array.shape}')
    return array


def _bitmaps(masks: Any) -> np.ndarray | None:
    """Convert mmdet's masks to (N, H, W); polygons are rasterised."""
    if isinstance(masks, PolygonMasks):
        masks = masks.to_bitmap()
    return None if masks is None else masks.masks


def _to_zero(label_map: np.ndarray, value: int) -> np.ndarray:
    """Subtract `value` from labels modulo the type's range, so that a fill of 0 means `value`.

    uint8 is kept; types that OpenCV cannot warp become uint16, which holds 65536 labels.
    """
    kind = np.uint8 if label_map.dtype == np.uint8 else np.uint16
    return (label_map.astype(np.int64) - value).astype(kind)


def _from_zero(label_map: np.ndarray, value: int) -> np.ndarray:
    """Undo `_to_zero`."""
    return (label_map.astype(np.int64) + value).astype(label_map.dtype)
