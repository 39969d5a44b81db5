"""Show progress bars in terminals, and nothing in log files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

T = TypeVar('T')

_shown: list[Progress] = []
"""The bars on the screen: a terminal has one place for them."""


def progress_bar(
    *columns: ProgressColumn, console: Console | None = None, transient: bool = False
) -> Progress:
    """Create bars with counts, elapsed and remaining time; a context manager.

    Args:
        columns: Additional columns, shown last.
        console: Where to draw; by default standard error, which leaves standard output to
            results. If it is not a terminal, nothing is drawn.
        transient: Remove the bars when they end.
    """
    console = console or Console(stderr=True)
    drawn = console.is_terminal
    return Progress(
        TextColumn('{task.description}', markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn('left'),
        TimeRemainingColumn(),
        *columns,
        # Before rich 14.3, bars that are disabled print an empty line at their end.
        console=console if drawn else Console(quiet=True),
        transient=transient,
        disable=not drawn,
    )


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Iterate with a bar on standard error, which disappears at the end.

    Args:
        items: Anything iterable.
        description: What is done, shown before the bar.
        total: Number of items, if they have no `len`.
    """
    with _shared() as progress:
        task = progress.add_task(description, total=total)
        yield from progress.track(items, total=total, task_id=task, description=description)
        progress.remove_task(task)


@contextmanager
def activity(description: str) -> Iterator[None]:
    """Show what is being done in the block, as a bar without an end; bars in it are shown below."""
    with _shared() as progress:
        task = progress.add_task(description, total=None)
        yield
        progress.remove_task(task)


@contextmanager
def _shared() -> Iterator[Progress]:
    """Yield the bars that are shown already, or new ones that disappear with the block."""
    if _shown:
        yield _shown[-1]
        return
    with progress_bar(transient=True) as progress:
        _shown.append(progress)
        try:
            yield progress
        finally:
            _shown.remove(progress)
