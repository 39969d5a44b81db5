"""Ready augmentations."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import TRANSFORMS, DefaultScope

from tests.helpers.detection_sample import check_types, sample

# As configs/efficientdet_d0_coco.py has them.
SHIPPED = [
    dict(type='RandomResize', scale=(64, 64), ratio_range=(0.1, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(64, 64)),
    dict(type='RandomFlip', prob=0.5),
]


def drawn(transform: Any, seed: int) -> Any:
    random.seed(seed)
    np.random.seed(seed)
    return transform(sample())


def test_efficientdets_is_that_of_the_shipped_configs() -> None:
    with DefaultScope.overwrite_default_scope('mmdet'):
        policy = TRANSFORMS.build(dict(type='effnet_dense.Policy', name='efficientdet', size=64))
        shipped = Compose(SHIPPED)
        widths = set()
        for seed in range(12):
            made, expected = drawn(policy, seed), drawn(shipped, seed)
            if expected is None:
                assert made is None
                continue
            assert (made['img'] == expected['img']).all()
            assert (made['gt_bboxes'].tensor == expected['gt_bboxes'].tensor).all()
            check_types(made)
            widths.add(made['img_shape'][1])
    assert max(widths) == 64 and len(widths) > 3


def test_names_and_sizes_are_checked() -> None:
    with pytest.raises(ValueError, match=r"no policy 'strong', expected one of \['light'"):
        TRANSFORMS.build(dict(type='effnet_dense.Policy', name='strong'))
    for wrong in (dict(name='efficientdet'), dict(name='light', size=64)):
        with pytest.raises(
            ValueError, match="a size is required for 'efficientdet' and for no other policy"
        ):
            TRANSFORMS.build(dict(type='effnet_dense.Policy', **wrong))


def test_the_others_are_albumentations() -> None:
    policy = TRANSFORMS.build(dict(type='effnet_dense.Policy', name='medium'))
    check_types(drawn(policy, 0))
    assert (drawn(policy, 1)['img'] == drawn(policy, 1)['img']).all()
    assert (drawn(policy, 1)['img'] != drawn(policy, 2)['img']).any()
