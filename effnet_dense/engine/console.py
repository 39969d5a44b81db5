"""Keep the console short, and passwords and escape sequences out of every log."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from pathlib import Path

from mmengine.logging import MMLogger

from effnet_dense.engine.quiet import LIBRARIES, library_of_caller
from effnet_dense.utils.atomic import is_at
from effnet_dense.utils.console import escape_unknown
from effnet_dense.utils.controls import escape_controls
from effnet_dense.utils.urls import without_user

# mmengine's listings at the start of a run: 600 lines, between which a report on the user's data
# would be lost.
LISTINGS = (
    'System environment:',
    'Config:\n',
    'Hooks will be executed in the following order:',
    'paramwise_options -- ',
    'is duplicate. It is skipped since bypass_duplicate=True',
)


# Warnings of OpenMMLab about its own code and defaults, which no user can act upon.
HARMLESS = (
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
    'The prefix is not set in metric class',
    'The current default scope ',
    'Failed to search registry with scope',
    'init_cfg without',
)


class Short(logging.Filter):
    """Lets warnings pass, and the lines of this package and of the user's own code.

    What OpenMMLab and pycocotools log about a run goes to the file: environment, config, hooks,
    parameter-wise options, each fifth step, tables.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is shown."""
        if getattr(record, 'file_only', False):
            return False
        start = record.getMessage()[:300]
        if any(listing in start for listing in LISTINGS):
            return False
        if record.levelno >= logging.WARNING:
            return not start.startswith(HARMLESS)
        return library_of_caller() not in LIBRARIES


class ShortFormatter(logging.Formatter):
    """Writes the message alone, after 'warning: ' or 'error: ' if it is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        kind = f'{record.levelname.lower()}: ' if record.levelno >= logging.WARNING else ''
        return f'{kind}{super().format(record)}'


class NoPasswords(logging.Filter):
    """Remove user and password from URLs, such as a config's `load_from`, which mmengine logs.

    Control characters of foreign names are escaped.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record, and let it pass."""
        record.msg, record.args = escape_controls(without_user(record.getMessage())), ()
        return True


class KeptFile(logging.Filter):
    """Makes a log file, and its folder, again if they were deleted during the run.

    Args:
        handler: The file's.
    """

    def __init__(self, handler: logging.FileHandler) -> None:
        super().__init__()
        self.handler = handler

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, into a file that exists."""
        path, stream = Path(self.handler.baseFilename), self.handler.stream
        if stream is None or stream.closed or is_at(path, stream.fileno()):
            return True
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stream.close()
            self.handler.stream = self.handler._open()
            line = f'{path} was deleted during the run, with all that is missing now; made again'
            self.handler.stream.write(line + '\n')
            print_line(line)
        except OSError as error:
            print_line(f'{path} was deleted during the run: {error.strerror}')
        return True


class OneWarning:
    """Says once why a log file cannot be written, where Python prints a traceback for each line.

    Args:
        handler: The file's.
    """

    def __init__(self, handler: logging.FileHandler) -> None:
        self.handler = handler
        self.said = False

    def __call__(self, record: logging.LogRecord) -> None:
        """Handle the error that is being handled."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            logging.Handler.handleError(self.handler, record)
        elif not self.said:
            self.said = True
            print_line(f'the log misses lines, {self.handler.baseFilename}: {error.strerror}')


def print_line(line: str) -> None:
    """Print a line to the standard error output, unless that is closed."""
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)


def quieten_current() -> None:
    """Do the same for the logger in use before a run has its own, which warns about the data."""
    quieten_console(MMLogger.get_current_instance())


def quieten_console(logger: logging.Logger) -> None:
    """Filter the console by `Short`, and it and the log files by `NoPasswords`.

    With level DEBUG the console shows, and dates, all that the file has.

    Log files that are deleted are made again, and those that cannot be written are named once. They
    become UTF-8, and the console escapes what its encoding lacks: a class called Straße
    is no reason to lose a line.
    """
    for handler in logger.handlers:
        if any(isinstance(known, NoPasswords) for known in handler.filters):
            continue
        if isinstance(handler, logging.FileHandler):
            handler.encoding, handler.errors = 'utf-8', 'backslashreplace'
            escape_unknown(handler.stream, 'utf-8')
            handler.handleError = OneWarning(handler)  # type: ignore[method-assign]
            handler.addFilter(KeptFile(handler))
        elif isinstance(handler, logging.StreamHandler):
            escape_unknown(handler.stream)
        handler.addFilter(NoPasswords())
        if not isinstance(handler, logging.FileHandler) and handler.level > logging.DEBUG:
            handler.addFilter(Short())
            handler.setFormatter(ShortFormatter())
