"""The import hook that serves modules which an installation lacks.

Imports the standard library alone, so that installing the hook costs nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

ROOM = Path(__file__).parent

# The missing module → the file, or the package's folder, that is served in its place.
SUBSTITUTES: Mapping[str, Path] = {
    'mmcv._ext': ROOM / 'mmcv_ops' / 'extension.py',
    'panopticapi': ROOM / 'panopticapi',
}


class SubstituteFinder(MetaPathFinder):
    """Serve a file of this package under the name of a module that is not installed.

    An ordinary file location gives the module an ordinary spec and loader, which is what
    ``mmengine.utils.dl_utils.mmcv_full_available`` looks for. The modules of a package are found
    by Python itself, in the folder that the package's spec names.
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
    """Make the substitutes importable. May be called again.

    The finder goes to the end of ``sys.meta_path``, so that an installed module always wins.
    """
    if not any(isinstance(finder, SubstituteFinder) for finder in sys.meta_path):
        sys.meta_path.append(SubstituteFinder())
