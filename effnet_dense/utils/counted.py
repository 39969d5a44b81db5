"""Write numbers of things: '1 epoch', '5 epochs', '2 classes'."""

from __future__ import annotations

HISSING = ('s', 'x', 'tch', 'sh')
"""Endings of nouns whose plural ends in -es."""


def counted(number: float | str, what: str, several: str | None = None) -> str:
    """Return a number with its noun, in the singular for 1.

    Args:
        number: Of things, or a word such as 'no'.
        what: Such as 'image', or with its verb, 'image has'.
        several: The plural; by default the noun's regular one.
    """
    if several is None:
        several = f'{what}{"es" if what.endswith(HISSING) else "s"}'
    return f'{number} {what if number == 1 else several}'
