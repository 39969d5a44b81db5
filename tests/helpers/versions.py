"""What tests have to know about older versions of packages."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from packaging.version import Version


def is_before(package: str, number: str) -> bool:
    """Whether an older version of an installed package than the number says."""
    return Version(version(package)) < Version(number)


def assert_drawn(drawing: NDArray[np.uint8], image: NDArray[np.uint8]) -> None:
    """Assert that a drawing (H, W, 3) shows an image (H, W, 3) as it is.

    Before matplotlib 3.11, mmengine's visualizer takes some pixels' next one to the left or below.
    """
    if not is_before('matplotlib', '3.11'):
        np.testing.assert_array_equal(drawing, image)
        return
    padded = np.pad(image, ((0, 1), (1, 0), (0, 0)), mode='edge')
    height, width = image.shape[:2]
    places = [padded[y : y + height, x : x + width] for y in (0, 1) for x in (0, 1)]
    assert np.any([(drawing == place).all(-1) for place in places], 0).all()
