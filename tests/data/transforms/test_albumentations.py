"""Albumentations' transforms on samples of mmdet's and mmseg's."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import pytest
from mmdet.structures.mask import PolygonMasks
from mmengine.registry import TRANSFORMS

from effnet_dense import Albumentations
from effnet_dense.data.transforms.policy_tables import POLICIES
from effnet_dense.utils.sample_keys import KEEP_EMPTY
from tests.helpers.detection_sample import check_types, sample

FLIP = dict(type='HorizontalFlip', p=1.0)
# The left 40 of 100 columns.
CROP = dict(type='Crop', x_min=0, y_min=0, x_max=40, y_max=80)


def apply(transforms: Any, data: dict[str, Any], **more: Any) -> Any:
    made = TRANSFORMS.build(dict(type='effnet_dense.Albumentations', transforms=transforms, **more))
    return made(copy.deepcopy(data))


def test_a_flip_moves_everything() -> None:
    data = sample()
    made = apply([FLIP], data)
    check_types(made)
    assert made['gt_bboxes'].tensor.numpy().round(3).tolist() == [
        [70, 20, 90, 50],
        [10, 10, 40, 40],
    ]
    assert (made['img'] == data['img'][:, ::-1]).all()
    assert (made['gt_masks'].masks == data['gt_masks'].masks[:, :, ::-1]).all()
    assert (made['gt_seg_map'] == data['gt_seg_map'][:, ::-1]).all()
    assert made['gt_bboxes_labels'].tolist() == [5, 6]
    assert made['gt_ignore_flags'].tolist() == [False, True]
    assert made['img_path'] == 'a.jpg'


def test_what_leaves_the_image_takes_everything_along() -> None:
    boxes = [(60, 10, 90, 40), (30, 20, 50, 50)]
    made = apply([CROP], sample(boxes))
    check_types(made)
    assert made['gt_bboxes'].tensor.numpy().round(3).tolist() == [[30, 20, 40, 50]]
    assert made['gt_bboxes_labels'].tolist() == [6]
    assert made['gt_ignore_flags'].tolist() == [True]
    assert made['gt_masks'].masks.sum() == 10 * 30


def test_a_box_whose_mask_left_goes_too() -> None:
    data = sample()
    data['gt_masks'].masks[0, :, :35] = 0
    data['gt_masks'].masks[0, 30, 45] = 1  # outside of the crop
    made = apply([CROP], data)
    check_types(made)
    assert len(made['gt_bboxes']) == 0


def test_without_a_box_left_a_sample_is_kept_or_skipped() -> None:
    data = sample([(60, 10, 90, 40)])
    made = apply([CROP], data)
    check_types(made)
    assert len(made['gt_bboxes']) == 0
    assert made['gt_masks'].masks.shape == (0, 80, 40)
    assert apply([CROP], data, skip_img_without_anno=True) is None


def test_an_image_without_objects_that_is_asked_for_stays() -> None:
    """With `filter_empty_gt=False`; one that loses its boxes is skipped as before."""
    kept = apply([CROP], {**sample([]), KEEP_EMPTY: True}, skip_img_without_anno=True)
    check_types(kept)
    assert apply([CROP], sample([]), skip_img_without_anno=True) is None
    lost = {**sample([(60, 10, 90, 40)]), KEEP_EMPTY: True}
    assert apply([CROP], lost, skip_img_without_anno=True) is None


def test_a_sample_without_boxes_is_transformed() -> None:
    made = apply([CROP], sample([]))
    check_types(made)
    assert made['gt_masks'].masks.shape == (0, 80, 40)


def test_boxes_beyond_the_border_are_clipped() -> None:
    made = apply([FLIP], sample([(-10.0, 20, 30, 50), (70, 60, 120, 90)]))
    boxes = made['gt_bboxes'].tensor.numpy().round(3).tolist()
    assert boxes == [[70, 20, 100, 50], [0, 60, 30, 80]]


def test_label_maps_are_filled_with_the_ignore_value_and_masks_with_nothing() -> None:
    move = dict(type='Affine', translate_px=dict(x=20, y=0), p=1.0)
    for kind in (np.uint8, np.int64, np.int32):
        data = sample()
        data['gt_seg_map'] = data['gt_seg_map'].astype(kind)
        data['gt_seg_map'][0] = 255
        made = apply([move], data)
        assert made['gt_seg_map'].dtype == kind
        assert (made['gt_seg_map'][1:, :20] == 255).all()
        assert (made['gt_seg_map'][:, 20:] == data['gt_seg_map'][:, :-20]).all()
        assert not made['gt_masks'].masks[:, :, :20].any()
    made = apply([move], sample(), seg_pad_val=7)
    assert (made['gt_seg_map'][:, :20] == 7).all()


def test_dropout_can_ignore_the_pixels_it_takes() -> None:
    hole = dict(
        type='CoarseDropout',
        num_holes_range=(1, 1),
        hole_height_range=(79, 79),
        hole_width_range=(99, 99),
        p=1.0,
    )
    assert set(np.unique(apply([hole], sample())['gt_seg_map'])) == {0, 1, 2}
    made = apply([dict(hole, fill_mask=255)], dict(sample(), gt_bboxes_labels=np.arange(2)))
    assert (made['gt_seg_map'] == 255).mean() > 0.9


def test_polygons_become_bitmaps() -> None:
    data = sample([(10, 20, 30, 50)])
    polygon = np.array([10, 20, 30, 20, 30, 50, 10, 50], np.float32)
    data['gt_masks'] = PolygonMasks([[polygon]], 80, 100)
    made = apply([FLIP], data)
    check_types(made)
    assert (
        made['gt_masks'].masks == PolygonMasks([[polygon]], 80, 100).to_bitmap().masks[:, :, ::-1]
    ).all()


def test_transforms_see_rgb() -> None:
    data = dict(img=np.zeros((8, 8, 3), np.uint8), img_shape=(8, 8))
    data['img'][..., 2] = 255  # red in BGR
    grey = apply([dict(type='ToGray', p=1.0)], data)['img']
    assert np.unique(grey).tolist() == [76]  # 0.299 · 255; of blue it were 29


def test_a_sample_of_mmseg() -> None:
    data = {k: v for k, v in sample().items() if k in ('img', 'img_shape', 'gt_seg_map')}
    made = apply([CROP], dict(data, seg_fields=['gt_seg_map']))
    assert made['gt_seg_map'].shape == (80, 40)
    assert 'gt_bboxes' not in made
    assert apply([CROP], data, skip_img_without_anno=True) is not None


def test_numbers_come_from_numpys_generator() -> None:
    noise = [dict(type='OneOf', transforms=[dict(type='GaussNoise', p=1.0)], p=1.0)]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        made = Albumentations(noise)
    images = []
    for seed in (1, 1, 2):
        np.random.seed(seed)
        images.append(made(sample())['img'])
    assert (images[0] == images[1]).all()
    assert (images[0] != images[2]).any()


def test_a_config_of_mmdets() -> None:
    made = apply(
        [dict(type='OneOf', transforms=[CROP, CROP], p=1.0)],
        sample(boxes=[(35, 20, 60, 50), (10, 20, 30, 50)], gt_scores=np.array([0.1, 0.2])),
        bbox_params=dict(
            type='BboxParams',
            format='pascal_voc',
            label_fields=['gt_bboxes_labels', 'gt_ignore_flags', 'gt_scores'],
            min_visibility=0.5,
            filter_lost_elements=True,
        ),
        keymap=dict(img='image', gt_masks='masks', gt_bboxes='bboxes'),
        skip_img_without_anno=True,
    )
    check_types(made)
    assert made['gt_bboxes_labels'].tolist() == [6]  # of the other a fifth is visible
    assert made['gt_scores'].tolist() == [0.2]


@pytest.mark.parametrize(
    ('more', 'message'),
    [
        (dict(bbox_params=dict(format='coco')), "got BboxParams\\(format='coco'\\)"),
        (dict(bbox_params=dict(min_size=3)), "bbox_params: .*'min_size'"),
        (dict(keymap=dict(img='picture')), r"unknown values \['picture'\], expected"),
    ],
)
def test_other_arguments_are_checked(more: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Albumentations([FLIP], **more)


def test_samples_are_checked() -> None:
    with pytest.raises(ValueError, match=r'expected an image .* of uint8, got .* of float32'):
        apply([FLIP], dict(img=np.zeros((8, 8, 3), np.float32)))
    with pytest.raises(ValueError, match=r"label_fields \['gt_labels'\] are not in the sample"):
        apply([FLIP], sample(), bbox_params=dict(label_fields=['gt_labels']))
    with pytest.raises(ValueError, match=r'horizontal boxes \(N, 4\), got \(2, 5\)'):
        apply([FLIP], dict(sample(), gt_bboxes=np.zeros((2, 5))))
    with pytest.raises(ValueError, match="no policy 'strong', expected one of"):
        Albumentations('strong')


@pytest.mark.parametrize('policy', POLICIES)
def test_policies_keep_everything_in_step(policy: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        made = Albumentations(policy)
        images = set()
        for seed in range(8):
            np.random.seed(seed)
            results = made(sample([(10, 20, 30, 50), (60, 10, 90, 40), (0, 0, 5, 5)]))
            check_types(results)
            images.add(results['img'].tobytes())
    assert len(images) == 8


def test_boxes_without_an_area_go() -> None:
    """One of no width, and one that lies beyond the image completely."""
    made = apply([FLIP], sample(((10, 20, 10, 50), (60, 10, 90, 40), (120, 0, 150, 20))))
    check_types(made)
    assert made['gt_bboxes_labels'].tolist() == [6]
