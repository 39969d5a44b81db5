"""The import hook behind `effnet_dense.mmcv_ops.install`. Imports the standard library alone."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

EXTENSION = 'mmcv._ext'


class ExtensionFinder(MetaPathFinder):
    """Serve the file ``extension.py`` beside this one as the module ``mmcv._ext``.

    An ordinary file location gives the module an ordinary spec and loader, which is what
    ``mmengine.utils.dl_utils.mmcv_full_available`` looks for.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec for ``mmcv._ext`` and None, "not mine", for every other module."""
        if fullname != EXTENSION:
            return None
        return spec_from_file_location(fullname, Path(__file__).with_name('extension.py'))
