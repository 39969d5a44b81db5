"""Image files below a folder, and the size in their header."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from PIL import Image

from effnet_dense.data.image_files import UNREADABLE, image_size, list_files, size_name
from tests.helpers.label_folder import write_image


def test_hidden_folders_are_left_out(tmp_path: Path) -> None:
    write_image(tmp_path / '.thumbs' / 'a.jpg')
    write_image(tmp_path / 'seen' / 'a.jpg')
    assert [str(file) for file in list_files(tmp_path)] == ['seen/a.jpg']


@pytest.mark.parametrize('orientation', range(1, 9))
def test_size_is_what_opencv_loads(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new('RGB', (48, 64)).save(tmp_path / 'a.jpg', exif=exif)
    height, width = cv2.imread(str(tmp_path / 'a.jpg')).shape[:2]
    assert image_size(tmp_path / 'a.jpg') == (width, height)


def test_a_size_that_pillow_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new('RGB', (48, 64)).save(tmp_path / 'a.png')
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
    assert image_size(tmp_path / 'a.png') is None


def test_files_that_are_not_images(tmp_path: Path) -> None:
    (tmp_path / 'a.png').write_bytes(b'x')
    for name in ('a.png', 'gone.png'):
        with pytest.raises(UNREADABLE):
            image_size(tmp_path / name)


def test_size_name() -> None:
    assert size_name(480, 360) == '480 × 360'
