"""Safe defaults for mmengine's checkpoint loaders, inductor's cache and pycocotools' files.

mmengine's local loader calls `torch.load` bare, which since torch 2.6 refuses mmengine's own
training state (mmengine#1655), and its HTTP loader passes weights_only=False, by which a checkpoint
runs code (mmengine 0.10.7, `runner/checkpoint.py`). Everything else about them stays.

pycocotools opens annotations, which are UTF-8, in the locale's encoding.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial, wraps
from types import ModuleType
from typing import Any

from effnet_dense.compat.after_import import after_import
from effnet_dense.utils.private_cache import cache_folder, use_private_cache
from effnet_dense.utils.urls import public_name

# Modules of inductor that know its shared folder. The function `default_cache_dir` has moved from
# the second to the first.
INDUCTOR = ('runtime.cache_dir_utils', 'runtime.runtime_utils', 'codecache')


def install_safe_defaults(reader: Callable[[], Any]) -> None:
    """Change mmengine's loaders, inductor's cache folder and pycocotools once they are imported.

    Args:
        reader: Imports the module with `safe_load` and `mmengine_types`, when the first
            checkpoint is loaded.
    """
    after_import('mmengine.runner.checkpoint', lambda module: read_safely(module, reader))
    after_import('pycocotools.coco', read_utf8)
    for name in INDUCTOR:
        after_import(f'torch._inductor.{name}', keep_private)


def keep_private(module: ModuleType) -> None:
    """Make a module of inductor use the private folder.

    Precompiled headers stay in the shared one whatever the variable says (torch 2.14), so its
    function and constants are replaced as well.
    """
    with suppress(OSError):  # no folder at all, on which inductor itself ends
        use_private_cache()
        folder, values = str(cache_folder()), vars(module)
        headers = os.path.join(folder, 'precompiled_headers')
        replaced = {
            'default_cache_dir': lambda: folder,
            '_HEADER_DIR': headers,
            '_HEADER_LOCK_DIR': os.path.join(headers, 'locks'),
        }
        values.update({name: value for name, value in replaced.items() if name in values})


def read_utf8(module: ModuleType) -> None:
    """Make a module that opens text files only, for reading, open them as UTF-8."""
    module.open = partial(open, encoding='utf-8')  # type: ignore[attr-defined]


def read_safely(module: ModuleType, reader: Callable[[], Any]) -> None:
    """Make mmengine read local files and downloads with weights_only=True and its own types.

    Args:
        module: `mmengine.runner.checkpoint`.
        reader: See `install_safe_defaults`.
    """

    # mmengine logs the end of the name: "Loads checkpoint by local backend".
    def load_from_local(filename: str, map_location: Any = None) -> Any:
        # To the CPU by default: tensors of a GPU are unreadable on machines without one.
        return reader().safe_load(filename, map_location or 'cpu')

    download = module.load_url

    @wraps(download)
    def load_url(url: str, *args: Any, **kwargs: Any) -> Any:
        with reader().mmengine_types(public_name(url)):
            return download(url, *args, **{**kwargs, 'weights_only': True})

    module.CheckpointLoader.register_scheme('', load_from_local, force=True)
    module.load_url = load_url  # type: ignore[attr-defined]
