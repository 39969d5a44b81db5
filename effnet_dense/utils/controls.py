"""Find and escape characters that change what a terminal or a page shows around a name.

Names of classes and files come from strangers: escape sequences would colour or clear a terminal,
line breaks forge lines of a log, and right-to-left overrides swap the order of a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST_NAME = 200
"""Characters of a class's name; drawings and tables are laid out for names."""
# Control characters, halves of surrogate pairs, line and paragraph separators, and the overrides
# and isolates of Unicode's bidirectional algorithm. Marks and joiners, which scripts need, stay.
_CONTROLS = '\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff'
_ANY = re.compile(f'[{_CONTROLS}]')
_NOT_IN_TEXTS = re.compile(f'(?![\n\t])[{_CONTROLS}]')


def escape_controls(text: str, lines: bool = True) -> str:
    r"""Escape characters that are not for display: ESC becomes `\x1b`.

    Args:
        text: Of a message.
        lines: Line breaks and tabulators stay.
    """
    return (_NOT_IN_TEXTS if lines else _ANY).sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode('unicode_escape', 'surrogatepass').decode('ascii')


def bad_name(name: str) -> str:
    """Return why a class cannot have a name: in words, '' if it can."""
    if _ANY.search(name):
        return f'{escape_controls(name, lines=False)[:60]!r} has control characters'
    if len(name) > LONGEST_NAME:
        return f'{name[:40]!r}… has {len(name)} characters, more than {LONGEST_NAME}'
    return ''


def bad_names(names: Iterable[str]) -> str:
    """Return why classes cannot have their names, for the first three of those; '' if they can."""
    return ', '.join([reason for name in names if (reason := bad_name(name))][:3])
