"""Keep long listings off the console; the log file has them."""

from __future__ import annotations

import logging

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


def quieten_console(logger: logging.Logger) -> None:
    """Filter the logger's console output by `NoListings`; its files stay complete."""
    for handler in logger.handlers:
        if not isinstance(handler, logging.FileHandler):
            handler.addFilter(NoListings())
