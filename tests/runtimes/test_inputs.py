"""What networks are given is checked in one place; the sessions' tests show the messages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from effnet_dense.runtimes.inputs import check_images, checked_sizes, input_sides
from tests.helpers.exported_files import METADATA


def test_bands_and_batch() -> None:
    bands = replace(METADATA, mean=[0.0] * 5, std=[1.0] * 5, batch=2)
    check_images(np.zeros((2, 5, 32, 64), np.float32), bands)
    with pytest.raises(
        ValueError, match=r'expected images \(N, 5, 32, 64\) of float32, got \(2, 3'
    ):
        check_images(np.zeros((2, 3, 32, 64), np.float32), bands)
    with pytest.raises(ValueError, match='expected 2 images per pass, got 3'):
        check_images(np.zeros((3, 5, 32, 64), np.float32), bands)


def test_multiples() -> None:
    free = replace(METADATA, size=None, multiple=32)
    check_images(np.zeros((1, 3, 32, 96), np.float32), free)
    message = r'images \(N, 3, H, W\) of float32, H and W multiples of 32, got \(1, 3, 32, 33\)'
    with pytest.raises(ValueError, match=message):
        check_images(np.zeros((1, 3, 32, 33), np.float32), free)
    assert input_sides(free, 1, 33) == (32, 64)
    assert input_sides(free, 64, 96) == (64, 96)
    assert input_sides(METADATA, 1, 33) == (32, 64)


def test_sizes() -> None:
    images = np.zeros((2, 3, 32, 64), np.float32)
    assert checked_sizes(None, images).tolist() == [[32, 64]] * 2
    assert checked_sizes([[8, 9], [7, 6]], images).dtype == np.float32
    with pytest.raises(ValueError, match=r'expected sizes \(2, 2\), height .*, got \(1, 2\)'):
        checked_sizes(np.ones((1, 2)), images)
    with pytest.raises(ValueError, match=r'expected images \(N, 3, 32, 64\) .*, got a list'):
        check_images([1.0], METADATA)
