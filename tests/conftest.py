"""Fixtures and skipping rules for all tests."""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import cv2
import hypothesis
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from mmengine.registry import DefaultScope
from torch.utils.data._utils import signal_handling

import effnet_dense  # noqa: F401 (makes mmcv's operators findable for imports of mmdet)
from effnet_dense.runtimes.signal_stack import kept_signal_stack
from tests.helpers.config_text import FORMATTER, unformatted
from tests.helpers.tiny import write_data

REASONS = dict(gpu='needs a CUDA device', compiler='needs a C++ compiler')
EXPORTS = 'tests/exporting/'
REPOSITORY = Path(__file__).resolve().parent.parent

# The same examples in each run, however slow the machine.
hypothesis.settings.register_profile(
    'repeatable',
    derandomize=True,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile('repeatable')

BLANK_CHARTS = (
    *(f'tests.{room}.' for room in ('adversaries', 'commands', 'compat', 'data', 'engine')),
    *(f'tests.tools.test_{name}' for name in ('exports', 'skip_bad', 'train', 'tta', 'whole')),
    'tests.configs.test_semantic',
)
"""Modules that train, but whose reports no test looks at."""
DRAWN = ('tests.engine.test_browse', 'tests.engine.hooks.test_pictures')
"""Those within the rooms above whose tests look at drawings."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked `gpu` or `compiler` where there is none, and exports before PyTorch 2.7."""
    for mark, is_there in (('gpu', torch.cuda.is_available), ('compiler', _has_compiler)):
        marked = [item for item in items if item.get_closest_marker(mark)]
        if marked and not is_there():
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=REASONS[mark]))
    if not hasattr(torch.compiler, 'is_exporting'):
        for item in items:
            if item.nodeid.startswith(EXPORTS) and item.name != 'test_an_older_pytorch':
                item.add_marker(pytest.mark.skip(reason='exports need PyTorch 2.7 or later'))


def pytest_collection_finish() -> None:
    """Leave all modules out of garbage collections: mmengine asks for one at each data set.

    What tests create is collected as always.
    """
    gc.collect()
    gc.freeze()


def _has_compiler() -> bool:
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        return False
    return True


@pytest.fixture(scope='session', autouse=True)
def _default_signals() -> None:
    """`nohup` and a shell's `&` make children ignore signals that tests send to themselves."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def _signal_stack() -> Iterator[None]:
    """Tests that call OpenVINO themselves leave no stack that is gone: see `kept_signal_stack`."""
    with kept_signal_stack():
        yield


@pytest.fixture(scope='session', autouse=True)
def _no_handler_of_ended_children() -> Iterator[None]:
    """Keep torch's loaders from handling SIGCHLD in the process of the tests.

    In a long run with OpenVINO on a CPU with AMX the kernel twice could not deliver that signal,
    and ended the process. Loaders notice dead workers without it, when they wait for a batch.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signal_handling, '_set_SIGCHLD_handler', lambda: None)
        yield


@pytest.fixture(scope='session', autouse=True)
def _unformatted_configs() -> Iterator[None]:
    """Spare each run the seconds in which yapf formats its config's text, about five times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FORMATTER, 'FormatCode', unformatted)
        yield


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """The folder with COCO128, Penn-Fudan and CamVid, which the repository does not hold."""
    folder = Path(os.environ.get('EFFNET_DENSE_DATA', REPOSITORY.parent / 'shared' / 'data'))
    if not folder.is_dir():
        pytest.skip(f'no datasets for tests in {folder} (set EFFNET_DENSE_DATA)')
    return folder


@pytest.fixture(scope='session')
def repository() -> Path:
    """The root of the checkout: configs/ and tools/ live there."""
    return REPOSITORY


@pytest.fixture(scope='session')
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COCO folder with four images to train on and two to evaluate."""
    return write_data(tmp_path_factory.mktemp('tiny'))


@pytest.fixture
def quiet_loggers(monkeypatch: pytest.MonkeyPatch) -> None:
    """mmengine's loggers keep the standard error of the test that made them, closed since."""
    monkeypatch.setattr(logging, 'raiseExceptions', False)


@pytest.fixture(scope='module', autouse=True)
def _blank_charts(request: pytest.FixtureRequest) -> Iterator[None]:
    """Reports compose and save their charts, but as one pixel: drawing takes most of a run."""
    name = request.module.__name__
    if not name.startswith(BLANK_CHARTS) or name in DRAWN:
        yield
        return
    pixel = cv2.imencode('.png', np.zeros((1, 1, 4), np.uint8))[1].tobytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, 'savefig', lambda _, path, **__: Path(path).write_bytes(pixel))
        yield


def restored_scope() -> Iterator[None]:
    """Restore mmengine's default scopes, so that the order of tests does not matter."""
    before = dict(DefaultScope._instance_dict)
    yield
    DefaultScope._instance_dict.clear()
    DefaultScope._instance_dict.update(before)


# The first one restores what fixtures of module scope set.
scope_after_module = pytest.fixture(restored_scope, scope='module', autouse=True)
scope_after_test = pytest.fixture(restored_scope, autouse=True)
