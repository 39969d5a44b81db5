"""What a run prints, and what only its log file has."""

from __future__ import annotations

import logging

# mmengine's lists at the start of a run: 600 lines, in which a user's own data report drowns.
DETAILS = (
    'System environment:',
    'Config:\n',
    'Hooks will be executed in the following order:',
    'paramwise_options -- ',
    'is duplicate. It is skipped since bypass_duplicate=True',
)


class WithoutDetails(logging.Filter):
    """Keeps environment, config, hooks and parameter-wise options off the console."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is for people who watch."""
        start = record.getMessage()[:300]
        return not any(detail in start for detail in DETAILS)


def quieten_console(logger: logging.Logger) -> None:
    """Let the logger's file have everything, its console what `WithoutDetails` leaves."""
    for handler in logger.handlers:
        if not isinstance(handler, logging.FileHandler):
            handler.addFilter(WithoutDetails())
