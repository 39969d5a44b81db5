"""Act on a module as soon as it is imported, without importing it.

This file imports only the standard library, so that installing the import hook costs nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

Action = Callable[[ModuleType], None]


class AfterImportFinder(MetaPathFinder):
    """Find modules where Python does, with a loader that ends in the module's action.

    Attributes:
        actions: Name of the module → what is done with it after each execution of its code.
    """

    def __init__(self) -> None:
        self.actions: dict[str, Action] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module that has an action, or None for every other module."""
        action = self.actions.get(fullname)
        spec = PathFinder.find_spec(fullname, path, target) if action else None
        if action is None or spec is None or spec.loader is None:
            return None
        spec.loader = _ActingLoader(spec.loader, action)
        return spec


class _ActingLoader(Loader):
    def __init__(self, loader: Loader, action: Action) -> None:
        self._loader, self._action = loader, action

    def __getattr__(self, name: str) -> Any:  # source, resources, …
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._action(module)


def after_import(name: str, action: Action) -> None:
    """Call `action(module)` after a module is imported; at once if it already is.

    A second action for the same module replaces the first.
    """
    finders = [finder for finder in sys.meta_path if isinstance(finder, AfterImportFinder)]
    if not finders:
        finders = [AfterImportFinder()]
        sys.meta_path.insert(0, finders[0])
    finders[0].actions[name] = action
    if name in sys.modules:
        action(sys.modules[name])
