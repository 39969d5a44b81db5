"""Tell runs of one process apart that start within a second."""

from __future__ import annotations

from collections import Counter

_STARTED: Counter[str] = Counter()


def unique_start(time: str) -> str:
    """Return a start's time, with a number from the second run of this time on.

    mmengine names folders, loggers and message hubs by the second of the start, so that two runs of
    one process that start within a second would share them. Names sort in the order of the starts.
    """
    _STARTED[time] += 1
    return time if _STARTED[time] == 1 else f'{time}_{_STARTED[time]:03d}'
