"""Calibration sees training images as the test pipeline and the preprocessor make them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from effnet_dense.engine.config import load_config
from effnet_dense.exporting.calibration import CalibrationImages, training_images
from effnet_dense.inference import Predictor
from tests.helpers.exported_files import METADATA
from tests.helpers.small_network import write_coloured
from tests.helpers.tiny_models import saved, segmentor


def test_images(tmp_path: Path) -> None:
    data = write_coloured(tmp_path / 'data', train=5)
    config = load_config(segmentor(), data=data, work_dir=tmp_path / 'work')
    paths = training_images(config)
    assert [Path(path).name for path in paths] == [f'{number}.png' for number in range(5)]
    assert all('train' in path for path in paths)
    assert [Path(path).name for path in training_images(config, 2)] == ['0.png', '2.png']
    predictor = Predictor(segmentor(), saved(segmentor(), tmp_path / 'a.pth'), 'cpu')
    settings = predictor.config.model.data_preprocessor
    named = replace(METADATA, size=[96, 128], pad_value=7.0)
    images = CalibrationImages(predictor, named, paths[:2])
    assert len(images) == len(list(images)) == len(list(images)) == 2
    found = next(iter(images))
    assert found.shape == (1, 3, 96, 128) and found.dtype == np.float32
    loaded = cv2.cvtColor(cv2.imread(paths[0]), cv2.COLOR_BGR2RGB).astype(np.float32)
    expected = (loaded - np.array(settings.mean)) / np.array(settings.std)
    np.testing.assert_allclose(found[0, :, :64, :96], expected.transpose(2, 0, 1), atol=1e-5)
    assert (found[0, :, 64:] == 7).all() and (found[0, :, :, 96:] == 7).all()
    small = CalibrationImages(predictor, replace(METADATA, size=[32, 64]), paths)
    with pytest.raises(ValueError, match=r'0\.png has 96 × 64 pixels .*, 64 × 32'):
        next(iter(small))
