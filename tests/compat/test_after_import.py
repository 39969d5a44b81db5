"""Actions on modules that are imported later, or already were."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from effnet_dense.compat import AfterImportFinder, after_import

NAME = 'module_with_an_action'


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An importable module; actions for it are forgotten afterwards."""
    path = tmp_path / f'{NAME}.py'
    path.write_text('value = 1\n', encoding='utf-8')
    monkeypatch.syspath_prepend(tmp_path)
    yield path
    sys.modules.pop(NAME, None)
    finder().actions.pop(NAME, None)


def finder() -> AfterImportFinder:
    [found] = [finder for finder in sys.meta_path if isinstance(finder, AfterImportFinder)]
    return found


def double(module: ModuleType) -> None:
    module.value *= 2


def test_later(module: Path) -> None:
    after_import(NAME, double)
    assert NAME not in sys.modules
    imported = importlib.import_module(NAME)
    assert imported.value == 2
    assert imported.__file__ == str(module)
    assert inspect.getsource(imported) == module.read_text(encoding='utf-8')
    assert importlib.reload(imported).value == 2


def test_at_once() -> None:
    imported = importlib.import_module(NAME)
    after_import(NAME, double)
    assert imported.value == 2


def test_a_second_action_replaces_the_first() -> None:
    after_import(NAME, double)
    after_import(NAME, double)
    assert importlib.import_module(NAME).value == 2


def test_an_absent_module_stays_absent() -> None:
    after_import('no_such_module', double)
    with pytest.raises(ModuleNotFoundError, match='no_such_module'):
        importlib.import_module('no_such_module')
    finder().actions.pop('no_such_module')
