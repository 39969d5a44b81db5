"""Corruptions: deterministic, in RGB, stronger with severity."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from mmengine.registry import TRANSFORMS, DefaultScope

from effnet_dense.data.transforms.corruption import (
    CORRUPTIONS,
    SEVERITIES,
    Corrupt,
    chosen_corruptions,
    corrupted,
    image_seed,
)

STEADY = ('gaussian_noise', 'shot_noise', 'impulse_noise', 'defocus_blur', 'zoom_blur', 'contrast')
"""Corruptions whose distance to the clean image rises with each severity, by construction."""


COMPILED = 'glass_blur'
SLOW = pytest.param(COMPILED, marks=pytest.mark.slow)
"""numba compiles it, in three seconds or more."""


@pytest.fixture(scope='module')
def image() -> np.ndarray:
    """Coarse blocks of colour, 64 × 48."""
    draw = np.random.default_rng(0)
    blocks = draw.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.kron(blocks, np.ones((8, 8, 1), np.uint8))


@pytest.mark.parametrize('name', [*(n for n in CORRUPTIONS if n != COMPILED), SLOW])
def test_each_is_deterministic_and_keeps_shape_and_type(name: str, image: np.ndarray) -> None:
    before, state = image.copy(), np.random.get_state()[1].copy()
    first, again = (corrupted(image, name, 3, seed=7) for _ in range(2))
    assert first.shape == image.shape and first.dtype == np.uint8
    assert (first == again).all() and (image == before).all() and (first != image).any()
    assert (np.random.get_state()[1] == state).all()


@pytest.mark.parametrize('name', ['impulse_noise', SLOW, 'snow', 'elastic_transform'])
def test_images_have_their_own_random_numbers(name: str, image: np.ndarray) -> None:
    assert (corrupted(image, name, 3, seed=7) != corrupted(image, name, 3, seed=8)).any()


@pytest.mark.parametrize('name', STEADY)
def test_severities_rise(name: str, image: np.ndarray) -> None:
    changes = [
        np.abs(corrupted(image, name, severity, 0).astype(float) - image).mean()
        for severity in SEVERITIES
    ]
    assert changes == sorted(changes) and changes[0] < changes[-1]


def test_contrast_and_brightness_by_hand() -> None:
    """ImageNet-C: (x − mean) · c + mean with c = 0.4, 0.3, 0.2, …; V + 0.1, 0.2, 0.3, …"""
    image = np.zeros((32, 32, 3), np.uint8)
    image[:16] = 200  # the mean is 100
    made = corrupted(image, 'contrast', 3, 0)
    assert set(np.unique(made)) <= {79, 80, 120} and made[0, 0, 0] == 120
    grey = np.full((32, 32, 3), 100, np.uint8)
    assert np.abs(corrupted(grey, 'brightness', 2, 0).astype(float) - (100 + 51)).max() <= 1


def test_noise_of_all_severities_is_the_same_but_stronger() -> None:
    """Gaussian noise of σ = 0.08, …, 0.38: on grey the ratio of the changes is that of σ."""
    grey = np.full((64, 64, 3), 128, np.uint8)
    weak, strong = (corrupted(grey, 'gaussian_noise', s, 0).astype(float) - 128 for s in (1, 2))
    inside = np.abs(strong) < 100
    assert np.abs(strong[inside] * 0.08 / 0.12 - weak[inside]).max() <= 2


@pytest.mark.parametrize('scope', ['mmdet', 'mmseg'])
def test_the_transform_exchanges_red_and_blue(scope: str, image: np.ndarray) -> None:
    config = dict(type='effnet_dense.Corrupt', corruption='frost', severity=2, seed=3)
    with DefaultScope.overwrite_default_scope(scope):
        transform: Any = TRANSFORMS.build(config)
    results = dict(img=image[..., ::-1].copy(), img_id=5, img_path='a/b.png', boxes=[1])
    made = transform(results)
    expected = corrupted(image, 'frost', 2, image_seed(5, None, 3))
    assert (made['img'][..., ::-1] == expected).all() and made['boxes'] == [1]
    assert repr(transform) == "Corrupt(corruption='frost', severity=2, seed=3)"


def test_seeds_are_of_the_id_else_of_the_name() -> None:
    assert image_seed(5, 'a.png') == image_seed(5, 'b.png') != image_seed(6, 'a.png')
    assert image_seed(None, 'x/a.png') == image_seed(None, 'y/a.png') != image_seed(None, 'b.png')
    assert image_seed(5, None, 0) != image_seed(5, None, 1)


def test_names_and_families() -> None:
    assert chosen_corruptions(['fog', 'noise', 'shot_noise']) == (
        *('gaussian_noise', 'shot_noise', 'impulse_noise'),
        'fog',
    )
    with pytest.raises(ValueError, match=r"'foggy' \(nearest: 'fog'\).* families noise, blur"):
        chosen_corruptions(['foggy'])
    with pytest.raises(ValueError, match="expected one corruption, got the family 'blur'"):
        Corrupt('blur')
    with pytest.raises(ValueError, match='seed that is not negative, got -1'):
        Corrupt('fog', seed=-1)


@pytest.mark.parametrize('severity', [0, 6, 1.5, True, 'x'])
def test_other_severities_are_refused(severity: Any) -> None:
    with pytest.raises(ValueError, match='expected a severity from 1 to 5, got'):
        Corrupt('fog', severity)


@pytest.mark.parametrize(
    ('image', 'match'),
    [
        (np.zeros((40, 40, 4), np.uint8), r'\(40, 40, 4\) of uint8'),
        (np.zeros((40, 40, 3), np.float32), r'\(40, 40, 3\) of float32'),
        (np.zeros((31, 40, 3), np.uint8), 'at least 32 pixels, got an image of 40 × 31'),
    ],
)
def test_other_images_are_refused(image: np.ndarray, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        corrupted(image, 'fog', 1, 0)
    with pytest.raises(ValueError, match=f'^set/a.png: .*{match}'):
        Corrupt('fog')(dict(img=image, img_path='set/a.png'))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'imagecorruptions', None)
    with pytest.raises(ImportError, match=r'pip install .effnet_dense\[robustness\]'):
        Corrupt('fog')
