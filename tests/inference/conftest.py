"""Predictors of the tiny models."""

from __future__ import annotations

import pytest

from effnet_dense.inference import Predictor
from tests.helpers.tiny_models import detector, saved, segmentor


@pytest.fixture(scope='session')
def detecting(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A detector of three classes from a config of 80."""
    path = saved(detector(), tmp_path_factory.mktemp('detector') / 'epoch_1.pth')
    return Predictor(detector(), path, 'cpu')


@pytest.fixture(scope='session')
def segmenting(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A segmentor of three classes from a config of 11."""
    path = saved(segmentor(), tmp_path_factory.mktemp('segmentor') / 'iter_1.pth')
    return Predictor(segmentor(), path, 'cpu')
