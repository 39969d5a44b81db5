"""Makes `panopticapi` importable where it is not installed. Imports the standard library alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

PACKAGE = 'panopticapi'
FOLDER = Path(__file__).with_name(PACKAGE)


class PanopticApiFinder(MetaPathFinder):
    """Serve the folder ``panopticapi`` beside this file as the top-level package of that name."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec for ``panopticapi`` and None, "not mine", for every other module.

        Its modules are found by Python itself, in the folder that the spec names.
        """
        if fullname != PACKAGE:
            return None
        return spec_from_file_location(
            fullname, FOLDER / '__init__.py', submodule_search_locations=[str(FOLDER)]
        )


def install() -> None:
    """Make ``panopticapi`` importable where it is not installed. May be called again.

    The finder stands at the end of ``sys.meta_path``: an installed package always wins.
    """
    if not any(isinstance(finder, PanopticApiFinder) for finder in sys.meta_path):
        sys.meta_path.append(PanopticApiFinder())
