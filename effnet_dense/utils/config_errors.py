"""Name the part of a config that cannot be built."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def config_errors(part: str, values: bool = False) -> Iterator[None]:
    """Turn the errors of unknown or impossible arguments into one that names their config part.

    Args:
        part: The config's key, such as 'model'.
        values: Name the part in errors of impossible values and unknown types as well.

    Raises:
        ValueError: In place of a TypeError, AttributeError or AssertionError in the block.
    """
    try:
        yield
    except (TypeError, AttributeError, AssertionError) as error:
        raise ValueError(f'{part} cannot be built from the config: {_reason(error)}') from error
    except (ValueError, KeyError, ZeroDivisionError) as error:
        if not values:
            raise
        reason = error.args[0] if isinstance(error, KeyError) and error.args else error
        raise ValueError(f'{part}: {reason}') from error


def _reason(error: Exception) -> str:
    """Return an error's message; for a bare assertion, the line that failed."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return str(error) or f'{frame.line} ({Path(frame.filename).name}, line {frame.lineno})'
