"""A run of two epochs on tiny data."""

from __future__ import annotations

from pathlib import Path

import pytest

import effnet_dense
from effnet_dense.api.run import Run
from tests.helpers.resumable import plain_config_text
from tests.helpers.tiny import narrow_retinanet, options, write_data

CONFIG = 'effnet_lite0_retinanet_finetune'


@pytest.fixture(scope='session')
def api_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four images for training, two for validation, of squares and bars."""
    return write_data(tmp_path_factory.mktemp('api_data'))


@pytest.fixture(scope='session')
def api_run(api_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A trained RetinaNet of few channels."""
    folder = tmp_path_factory.mktemp('api') / 'run'
    small = {**options(), **narrow_retinanet()}
    small = {key: value for key, value in small.items() if not key.startswith('train_cfg.')}
    patch = plain_config_text()
    try:
        return effnet_dense.train(CONFIG, api_data, work_dir=folder, epochs=2, options=small)
    finally:
        patch.undo()
