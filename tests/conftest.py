"""Fixtures and the skipping rules that every test folder shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

import effnet_dense  # noqa: F401 (makes mmcv's operators findable for imports of mmdet)

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked `gpu` where there is no CUDA device."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker('gpu'):
            item.add_marker(pytest.mark.skip(reason='needs a CUDA device'))


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """The folder with COCO128, Penn-Fudan and CamVid, which users do not have."""
    folder = Path(os.environ.get('EFFNET_DENSE_DATA', REPOSITORY.parent / 'shared' / 'data'))
    if not folder.is_dir():
        pytest.skip(f'no data sets for tests at {folder} (set EFFNET_DENSE_DATA)')
    return folder


@pytest.fixture(scope='session')
def repository() -> Path:
    """The root of the checkout: configs/ and tools/ live there."""
    return REPOSITORY
