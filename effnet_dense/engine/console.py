"""Keep long listings off the console, passwords out of every log, and any character in it."""

from __future__ import annotations

import logging

from effnet_dense.utils.console import escape_unknown
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
    """Remove user and password from URLs, such as a config's `load_from`, which mmengine logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record, and let it pass."""
        record.msg, record.args = without_user(record.getMessage()), ()
        return True


def quieten_console(logger: logging.Logger) -> None:
    """Filter the console by `NoListings`, and it and the log files by `NoPasswords`.

    Log files become UTF-8, and the console escapes what its encoding lacks: a class called Straße
    is no reason to lose a line.
    """
    for handler in logger.handlers:
        if isinstance(handler, logging.FileHandler):
            handler.encoding, handler.errors = 'utf-8', 'backslashreplace'
            escape_unknown(handler.stream, 'utf-8')
        elif isinstance(handler, logging.StreamHandler):
            escape_unknown(handler.stream)
        handler.addFilter(NoPasswords())
        if not isinstance(handler, logging.FileHandler):
            handler.addFilter(NoListings())
