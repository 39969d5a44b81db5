"""Images as the page shows them."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest

from effnet_dense.report import panels


@pytest.mark.parametrize(
    ('size', 'shown'),
    [
        ((480, 500), (480, 500)),
        ((100, 200), (210, 420)),  # enlarged to 420
        ((2000, 1000), (640, 320)),  # shrunk to 640
        ((1, 5000), (1, 640)),
    ],
)
def test_sizes_of_panels(size: tuple[int, int], shown: tuple[int, int]) -> None:
    assert panels.panel_size(*size) == shown
    assert panels.resize(np.zeros((*size, 3), np.uint8), shown).shape == (*shown, 3)


def test_captions_grow_with_the_number_of_panels() -> None:
    panel = np.zeros((480, 588, 3), np.uint8)
    assert panels.font_size(panel) == 14 and panels.font_size(panel, of=3) == 21


def test_images_are_read_in_rgb_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), np.full((4, 5, 3), (1, 2, 3), np.uint8))
    image = panels.read_rgb(str(path))
    assert image is not None and (image == (3, 2, 1)).all()
    path.write_bytes(b'no image')
    assert panels.read_rgb(str(path)) is None
    assert panels.read_rgb(str(tmp_path / 'absent.png')) is None
    assert panels.read_rgb('') is None


def test_panels_are_joined_with_gaps() -> None:
    one, two = np.zeros((4, 3, 3), np.uint8), np.full((4, 5, 3), 9, np.uint8)
    joined = panels.side_by_side([one, two])
    assert joined.shape == (4, 3 + panels.GAP + 5, 3)
    assert (joined[:, :3] == 0).all() and (joined[:, -5:] == 9).all()
    assert (joined[:, 3 : 3 + panels.GAP] == 255).all()
    assert panels.side_by_side([one]).shape == one.shape


def test_files_become_addresses(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'a.jpg'
    panels.write_jpeg(path, np.zeros((4, 4, 3), np.uint8))
    head, _, content = panels.data_uri(path).partition(',')
    assert head == 'data:image/jpeg;base64'
    assert base64.b64decode(content) == path.read_bytes()
