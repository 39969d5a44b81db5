"""Import substitutes for modules that are not installed.

This file imports only the standard library, so that installing the import hook costs nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parent

# Name of the missing module → file, or folder of the package, to import in its place.
SUBSTITUTES: Mapping[str, Path] = {
    'mmcv._ext': FOLDER / 'mmcv_ops' / 'extension.py',
    'panopticapi': FOLDER / 'panopticapi',
}


class SubstituteFinder(MetaPathFinder):
    """Find a file of this package for the name of a module that is not installed.

    The module gets the usual spec and loader of a file, which
    ``mmengine.utils.dl_utils.mmcv_full_available`` looks for. Python itself finds the submodules
    of a package, in the folder that its spec names.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a substitute, or None for every other module."""
        substitute = SUBSTITUTES.get(fullname)
        if substitute is None:
            return None
        if substitute.suffix == '.py':
            return spec_from_file_location(fullname, substitute)
        return spec_from_file_location(
            fullname, substitute / '__init__.py', submodule_search_locations=[str(substitute)]
        )


def install() -> None:
    """Make the substitutes importable; further calls do nothing.

    The finder goes to the end of ``sys.meta_path``, so that installed modules take precedence.
    """
    if not any(isinstance(finder, SubstituteFinder) for finder in sys.meta_path):
        sys.meta_path.append(SubstituteFinder())
