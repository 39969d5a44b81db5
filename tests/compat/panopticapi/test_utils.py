"""Segment ids and the colours that stand for them."""

from __future__ import annotations

import numpy as np
import pytest
from panopticapi.utils import id2rgb, rgb2id


def test_ids_of_colours() -> None:
    image = np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 0, 1], [10, 20, 30], [255] * 3]])
    expected = [[0, 1, 256], [65536, 10 + 256 * 20 + 65536 * 30, 256**3 - 1]]
    ids = rgb2id(image.astype(np.uint8))
    assert ids.tolist() == expected
    assert rgb2id(image[1, 1]) == expected[1][1]
    assert id2rgb(ids).tolist() == image.tolist()
    assert id2rgb(ids).dtype == np.uint8


def test_ids_survive_the_way_to_colours_and_back() -> None:
    ids = np.random.default_rng(0).integers(0, 256**3, (40, 30))
    before = ids.copy()
    assert (rgb2id(id2rgb(ids)) == before).all()
    assert (ids == before).all(), 'the argument was changed'


def test_what_is_not_a_colour_or_an_id() -> None:
    with pytest.raises(ValueError, match=r'expected colours of shape \(H, W, 3\), got \(4, 5\)'):
        rgb2id(np.zeros((4, 5), np.uint8))
    for wrong in (-1, 256**3):
        with pytest.raises(ValueError, match=f'from 0 to 256³ − 1, got 0 to {wrong}|got -1 to 0'):
            id2rgb(np.array([0, wrong]))
