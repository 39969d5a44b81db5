"""Misuse of `Predictor`: nothing is left out or taken for something else without a word."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from effnet_dense.inference import Predictor
from effnet_dense.inference.predictor import checked_device
from tests.helpers.tiny_models import detector, saved

IMAGE = np.full((40, 50, 3), 90, np.uint8)


@pytest.fixture(scope='module')
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    config = detector()
    return Predictor(config, saved(config, tmp_path_factory.mktemp('model') / 'a.pth'), 'cpu')


@pytest.mark.parametrize('size', [0, -1, 1.5, '2', float('nan'), None])
@pytest.mark.parametrize(
    'call',
    [
        lambda p, size: p([IMAGE, IMAGE], size),
        lambda p, size: p(IMAGE, size),
        lambda p, size: p.predict([IMAGE, IMAGE], size),
        lambda p, size: p.stream([IMAGE, IMAGE], size),  # at the call, not at the first image
    ],
    ids=['call', 'one', 'predict', 'stream'],
)
def test_impossible_batch_sizes(
    call: Callable[[Predictor, Any], Any], size: Any, predictor: Predictor
) -> None:
    with pytest.raises(ValueError, match='batch_size of at least 1'):
        call(predictor, size)


def test_an_image_alone_is_one_image_for_a_stream(predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / 'a.png'
    Image.fromarray(IMAGE).save(path)
    for image in (str(path), path, IMAGE, IMAGE[..., 0], Image.fromarray(IMAGE)):
        (sample,) = predictor.stream(image)
        assert sample.ori_shape == (40, 50)
    assert len(list(predictor.stream(np.stack([IMAGE, IMAGE])))) == 2


@pytest.mark.parametrize(
    'array',
    [
        IMAGE / 255,
        IMAGE.astype(np.float32),
        IMAGE.astype(np.uint16),
        np.full((40, 50, 3), np.nan),
        IMAGE[..., 0],
        np.zeros((40, 50, 4), np.uint8),
        np.zeros((0, 50, 3), np.uint8),
        'street.jpg',
        None,
    ],
)
def test_predict_takes_only_what_needs_no_conversion(array: Any, predictor: Predictor) -> None:
    with pytest.raises(ValueError, match=r'\(H, W, 3\) of uint8.*got'):
        predictor.predict([IMAGE, array])
    with pytest.raises(ValueError, match=r'got \(50, 3\)'):
        predictor.predict(IMAGE)  # a list is missing


def test_pil_images_without_content(predictor: Predictor) -> None:
    with pytest.raises(ValueError, match='no pixels'):
        predictor(Image.new('RGB', (0, 5)))
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(
        file, 'PNG'
    )
    cut = Image.open(io.BytesIO(file.getvalue()[:2000]))
    with pytest.raises(ValueError, match='PIL image cannot be read'):
        predictor(cut)


@pytest.mark.parametrize('device', [0, -1, 3.5, b'cpu', '', [], 'gpu'])
def test_devices_that_are_none(device: Any) -> None:
    with pytest.raises(ValueError, match='device must be such as cpu'):
        checked_device(device)


@pytest.mark.parametrize('checkpoint', [None, {'weight': 1}, b'a.pth', 5])
def test_checkpoints_that_are_no_sources(checkpoint: Any) -> None:
    with pytest.raises(ValueError, match=r'expected (checkpoint as a path|a checkpoint after it)'):
        Predictor(detector(), checkpoint, 'cpu')


@pytest.mark.parametrize('config', [None, {'model': {}}, 5])
def test_configs_that_are_none(config: Any) -> None:
    with pytest.raises(ValueError, match='expected config as a path'):
        Predictor(config, 'a.pth', 'cpu')
