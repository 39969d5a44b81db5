"""Name the part of a config that cannot be built."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from effnet_dense.utils.failing_part import failing_part

OF_ARGUMENTS = (
    *(AssertionError, AttributeError, IndexError, NameError, NotImplementedError),
    *(RuntimeError, TypeError),
)
"""What libraries raise for arguments of the wrong kind."""
_ADVICE = re.compile(r' Please check whether the value of .*', re.DOTALL)  # of mmengine's registry


@contextmanager
def config_errors(
    part: str, values: bool = False, config: Mapping[str, Any] | None = None
) -> Iterator[None]:
    """Turn the errors of unknown or impossible arguments into one that names their config part.

    Args:
        part: The config's key, such as 'model'.
        values: Name the part in errors of impossible values and unknown types as well.
        config: Key → what is built; of it, the part that fails is named.

    Raises:
        ValueError: In place of another kind of error in the block, except of a lack of memory.
    """
    import torch  # here: command lines name errors without it

    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except OF_ARGUMENTS as error:
        part = failing_part(error, config or {}) or part
        raise ValueError(f'{part} cannot be built from the config: {reason(error)}') from error
    except (KeyError, ValueError, ZeroDivisionError) as error:
        if not values:
            raise
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        if 'must contain the key "type"' in str(text):
            text = 'a part has no type, the name of its class'
        part = failing_part(error, config or {}) or part
        raise ValueError(f'{part}: {_ADVICE.sub("", str(text))}') from error


def reason(error: BaseException) -> str:
    """Return an error's message in one line; with its kind and place if that is at most a word.

    `str()` of a KeyError is the quoted key alone, of a bare assertion nothing.
    """
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    text = _ADVICE.sub('', text).strip()
    if ' ' in text:
        return text
    found = traceback.extract_tb(error.__traceback__)
    place = f' ({Path(found[-1].filename).name}, line {found[-1].lineno})' if found else ''
    if isinstance(error, KeyError):
        return f'there is no entry {text!r}{place}'
    if isinstance(error, AssertionError) and not text and found:
        return f'{found[-1].line}{place}'
    return f'{type(error).__name__}: {text}{place}' if text else f'{type(error).__name__}{place}'
