"""Fixtures and the skipping rules that every test folder shares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mmengine.registry import DefaultScope

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


def restored_scope() -> Iterator[None]:
    """Set mmengine's default scopes to what they were: which test runs earlier is chance."""
    before = dict(DefaultScope._instance_dict)
    yield
    DefaultScope._instance_dict.clear()
    DefaultScope._instance_dict.update(before)


# The first one for what the fixtures of a whole module set.
scope_after_module = pytest.fixture(restored_scope, scope='module', autouse=True)
scope_after_test = pytest.fixture(restored_scope, autouse=True)
