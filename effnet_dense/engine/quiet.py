"""Send what OpenMMLab and pycocotools print and warn about their own code to the log file only."""

from __future__ import annotations

import builtins
import io
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from mmengine.logging import MMLogger

LIBRARIES = ('faster_coco_eval', 'mmcv', 'mmdet', 'mmengine', 'mmseg', 'panopticapi', 'pycocotools')
PRINTING = ('pycocotools.', 'panopticapi.', 'mmdet.datasets.', 'mmdet.evaluation.')
"""Beginnings of the names of modules whose `print` goes to the log."""
FILE_ONLY = {'file_only': True}
"""`logger.info(…, extra=FILE_ONLY)` keeps a line off the console."""
LOGGING = ('mmengine.logging.logger', 'effnet_dense.engine.console', __name__)
"""Modules that pass records on, in addition to Python's own."""


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Log, in the block, what libraries print, and Python warnings that their code raises.

    With log level DEBUG all stays on the console, too. Other modules print as ever.
    """
    modules = [sys.modules[name] for name in list(sys.modules) if name.startswith(PRINTING)]
    before = {id(module): vars(module).get('print') for module in modules}
    show = warnings.showwarning

    def show_warning(
        message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None
    ) -> None:
        if file is None and _is_of_library(filename):
            _logger().warning(f'{category.__name__}: {message}', extra=FILE_ONLY)
        else:
            show(message, category, filename, lineno, file, line)

    for module in modules:
        vars(module)['print'] = _print
    warnings.showwarning = show_warning
    try:
        yield
    finally:
        if warnings.showwarning is show_warning:
            warnings.showwarning = show
        for module in modules:
            own = before[id(module)]
            if own is None:
                vars(module).pop('print', None)
            else:
                vars(module)['print'] = own


def library_of_caller() -> str:
    """Return the top-level package of the code that is logging, printing or warning."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        name = str(frame.f_globals.get('__name__', ''))
        if name.partition('.')[0] not in ('logging', 'warnings') and name not in LOGGING:
            return name.partition('.')[0]
        frame = frame.f_back
    return ''


def _print(
    *words: Any,
    sep: str | None = ' ',
    end: str | None = '\n',
    file: TextIO | None = None,
    flush: bool = False,
) -> None:
    """Log a line in place of `print`, unless its caller has redirected the output."""
    target = sys.stdout if file is None else file
    if target is not sys.stdout or isinstance(target, io.StringIO):
        builtins.print(*words, sep=sep, end=end, file=file, flush=flush)
        return
    text = (' ' if sep is None else sep).join(map(str, words)).strip()
    if text:
        _logger().info(text)


def _is_of_library(filename: str) -> bool:
    parts = filename.replace('\\', '/').split('/')
    return any(library in parts for library in LIBRARIES)


def _logger() -> Any:
    return MMLogger.get_current_instance()
