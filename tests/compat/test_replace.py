"""A function is replaced in every module of its package that imported it."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from effnet_dense.compat.replace import replace


def test_earlier_imports_too(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ('some_package', 'some_package.inner', 'some_package.user', 'other_package')
    modules = {name: ModuleType(name) for name in names}

    def function() -> int:
        """Return one."""
        return 1

    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
        module.function = function  # type: ignore[attr-defined]
    replace(modules['some_package.inner'], 'function', lambda: 2)
    assert [module.function() for module in modules.values()] == [2, 2, 2, 1]
    assert modules['some_package'].function.__doc__ == 'Return one.'
