"""Images from files, PIL and to files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from effnet_dense.inference.images import as_bgr, write_image
from effnet_dense.utils.outputs import MARK

NOISE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def test_photographs_are_turned(tmp_path: Path) -> None:
    """EXIF's orientation 6: the first row of the file is the right column of the image."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / 'a.png'
    Image.fromarray(NOISE[..., ::-1]).save(path, exif=exif)
    expected = np.rot90(NOISE, -1)
    with Image.open(path) as image:
        assert (as_bgr(image) == expected).all()


def test_transparency_is_dropped() -> None:
    image = Image.new('RGBA', (2, 3), (1, 2, 3, 0))
    assert as_bgr(image).tolist() == [[[3, 2, 1]] * 2] * 3


def test_images_are_written_in_their_suffixs_format(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'a.png'
    write_image(path, NOISE[:, ::2])
    assert (cv2.imread(str(path)) == NOISE[:, ::2]).all()
    write_image(path, np.full((2, 2), 300, np.uint16))
    assert (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) == 300).all()
    with pytest.raises(ValueError, match=r'cannot write .*a\.what'):
        write_image(tmp_path / 'a.what', NOISE)
    found = {each.name for each in tmp_path.rglob('*')}
    assert found == {'new', 'a.png', MARK}
