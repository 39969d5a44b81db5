"""AugMix: a mixture of an image with degraded copies of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from effnet_dense.data.transforms.augmix import AugMix


def drawn(transform: AugMix, image: np.ndarray, seed: int = 0) -> np.ndarray:
    np.random.seed(seed)
    return transform(dict(img=image.copy()))['img']


def test_one_copy_is_mixed_with_the_image() -> None:
    """With inversion as the only operation, all pixels are x + m · (255 − 2 x) with one m."""
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    mixing = AugMix([dict(type='InvertImg')], width=1, depth=(1, 1))
    for seed in range(5):
        made = drawn(mixing, image, seed).astype(float)
        share = made[0, 0, 0] / 255
        assert 0 < share < 1
        assert np.abs(made - (image + share * (255 - 2.0 * image))).max() <= 1


def test_colours_keep_their_place() -> None:
    """Operations get RGB: a lighter hue of blue stays in the blue of BGR."""
    image = np.zeros((8, 8, 3), np.uint8)
    image[..., 0] = 200
    made = drawn(AugMix([dict(type='InvertImg'), dict(type='InvertImg')], depth=(2, 2)), image)
    assert (made == image).all(), 'two inversions are none'
    grey = drawn(AugMix([dict(type='ToGray')], width=1, depth=(1, 1)), image)
    assert grey[0, 0, 0] > grey[0, 0, 1] == grey[0, 0, 2] > 0


def test_draws_follow_numpys_generator() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    mixing = AugMix()
    first, again, other = (drawn(mixing, image, seed) for seed in (0, 0, 1))
    assert (first == again).all() and (first != other).any()
    assert first.dtype == np.uint8 and first.shape == image.shape


def test_the_rest_of_the_sample_stays() -> None:
    image = np.full((8, 8, 3), 9, np.uint8)
    sample = dict(img=image, gt_bboxes='boxes', img_shape=(8, 8))
    assert AugMix(prob=0.0)(sample)['img'] is image
    made = AugMix()(sample)
    assert made['gt_bboxes'] == 'boxes' and made['img_shape'] == (8, 8)


@pytest.mark.parametrize(
    ('arguments', 'match'),
    [
        (dict(operations=[dict(type='HorizontalFlip')]), 'HorizontalFlip may move pixels'),
        (dict(operations=[dict(type='Solarise')]), 'use Solarize'),
        (dict(operations=[]), 'expected operations, got none'),
        (dict(width=0), 'got width=0'),
        (dict(depth=(2, 1)), r'got width=3, depth=\(2, 1\)'),
        (dict(prob=1.5), 'prob of 0 to 1, got 1.0 and 1.5'),
        (dict(alpha=0.0), 'alpha > 0'),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        AugMix(**arguments)


def test_integers_become_uint8() -> None:
    """mmdet's CopyPaste makes int64; Albumentations, which may follow, takes uint8."""
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3))
    for prob in (0.0, 1.0):
        np.random.seed(0)
        made = AugMix(prob=prob)(dict(img=image))['img']
        np.random.seed(0)
        expected = AugMix(prob=prob)(dict(img=image.astype(np.uint8)))['img']
        assert made.dtype == np.uint8 and np.array_equal(made, expected)


@pytest.mark.parametrize(
    'image',
    [
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8), np.uint8),
        np.full((8, 8, 3), 256),
        np.full((8, 8, 3), -1),
    ],
)
def test_other_images_are_refused(image: Any) -> None:
    with pytest.raises(ValueError, match=r'^a\.jpg: AugMix expects .* got \(8, 8.* of '):
        AugMix()(dict(img=image, img_path='a.jpg'))
