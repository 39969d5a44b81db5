"""Keep long listings off the console, and passwords and escape sequences out of every log."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from pathlib import Path

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


class NoListings(logging.Filter):
    """Filter out environment, config, hooks and parameter-wise options."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is shown."""
        start = record.getMessage()[:300]
        return not any(listing in start for listing in LISTINGS)


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


def quieten_console(logger: logging.Logger) -> None:
    """Filter the console by `NoListings`, and it and the log files by `NoPasswords`.

    Log files that are deleted are made again, and those that cannot be written are named once. They
    become UTF-8, and the console escapes what its encoding lacks: a class called Straße
    is no reason to lose a line.
    """
    for handler in logger.handlers:
        if isinstance(handler, logging.FileHandler):
            handler.encoding, handler.errors = 'utf-8', 'backslashreplace'
            escape_unknown(handler.stream, 'utf-8')
            handler.handleError = OneWarning(handler)  # type: ignore[method-assign]
            handler.addFilter(KeptFile(handler))
        elif isinstance(handler, logging.StreamHandler):
            escape_unknown(handler.stream)
        handler.addFilter(NoPasswords())
        if not isinstance(handler, logging.FileHandler):
            handler.addFilter(NoListings())
