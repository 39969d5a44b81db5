"""HEIC files, with a stand-in for pillow-heif that reads PNG data after HEIC's first bytes."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from effnet_dense.data import LoadImageFromFile
from effnet_dense.data.heif import enable_heif, is_heif
from effnet_dense.data.image_errors import BadImageError
from effnet_dense.data.image_files import image_size

START = b'\0\0\0\x18ftypheic'
PIXELS = np.random.default_rng(0).integers(0, 255, (6, 10, 3), dtype=np.uint8)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, 'PNG')
    (tmp_path / 'IMG_0001.HEIC').write_bytes(START + buffer.getvalue())
    return tmp_path / 'IMG_0001.HEIC'


@pytest.fixture
def _pillow_heif(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def opened(file: Any, filename: Any = '') -> Any:
        return Image.open(io.BytesIO(file.read()[len(START) :]))

    module = ModuleType('pillow_heif')
    register = 'register_heif_opener'
    setattr(module, register, lambda: Image.register_open('STANDIN', opened, is_heif))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, 'pillow_heif', module)
    enable_heif.cache_clear()
    yield
    enable_heif.cache_clear()
    Image.OPEN.pop('STANDIN', None)
    if 'STANDIN' in Image.ID:
        Image.ID.remove('STANDIN')


def test_read(photo: Path, _pillow_heif: None) -> None:
    assert image_size(photo) == (10, 6)
    results = LoadImageFromFile().transform({'img_path': str(photo)})
    assert results is not None
    np.testing.assert_array_equal(results['img'], PIXELS[..., ::-1])
    grey = LoadImageFromFile(channels=1).transform({'img_path': str(photo)})
    assert grey is not None and grey['img'].shape == (6, 10)


def test_not_installed(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'pillow_heif', None)
    enable_heif.cache_clear()
    words = 'a HEIC file, which needs pillow-heif: pip install pillow-heif'
    with pytest.raises(ValueError, match=words):
        image_size(photo)
    with pytest.raises(BadImageError, match=rf'IMG_0001\.HEIC.*{words}'):
        LoadImageFromFile().transform({'img_path': str(photo)})
