"""Read `--cfg-options`: KEY=VALUE pairs by the rules of mmengine's DictAction, and dictionaries.

mmengine's rules, for which no framework is needed:

- `3`, `1e-3`, `True` and `None` are what they are in Python; anything else is a text.
- `[1,2]` and `1,2` are lists, `(1,2)` is a tuple, and they nest. Quotes around a value or an
  element are dropped: `"[1,2]"` is a list, too.

In addition `dict(type=SGD, lr=0.1)` and `{"type": "SGD"}` are dictionaries, in which a quoted value
is a text as in Python, and spaces within a text stay.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

PAIRS = {'[': ']', '(': ')', '{': '}'}
QUOTES = '\'"'
DEEPEST = 50
CONSTANTS = {'true': True, 'false': False}


class Options(argparse.Action):
    """Collects KEY=VALUE pairs in a dictionary; a malformed one is an argparse error."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Add the pairs to the dictionary."""
        options = dict(getattr(namespace, self.dest, None) or {})
        for pair in values:
            try:
                key, value = parse_pair(pair)
            except ValueError as error:
                raise argparse.ArgumentError(self, str(error)) from error
            options[key] = value
        setattr(namespace, self.dest, options)


def parse_pair(text: str) -> tuple[str, Any]:
    """Parse KEY=VALUE.

    Raises:
        ValueError: It is none, or the value's brackets do not match.
    """
    key, separator, value = text.partition('=')
    if not separator:
        raise ValueError(f'expected KEY=VALUE pairs, got {text!r:.200}')
    if not all(key.split('.')) or key != key.strip():
        raise ValueError(f'expected KEY=VALUE pairs with a key such as a.b.0.c, got {text!r:.200}')
    try:
        return key, parse_value(value)
    except ValueError as error:
        raise ValueError(f'expected KEY=VALUE pairs, got {text!r:.200}: {error}') from error


def parse_value(text: str) -> Any:
    """Parse a value as the module's docstring describes.

    Raises:
        ValueError: Brackets do not match, or a dictionary's entry has no key.
    """
    text = text.strip()
    while _is_quoted(text):
        text = text[1:-1].strip()
    if ',' in text and _commas(text):
        return [_parse(part, False) for part in _split(text)]
    return _parse(text, False)


def _parse(text: str, in_dict: bool, depth: int = 0) -> Any:
    """Parse an element, which has no commas outside of brackets and quotes.

    Args:
        text: The element.
        in_dict: It lies within a dictionary, where quotes make a text and null is None.
        depth: Number of brackets around it.
    """
    text = text.strip()
    if depth > DEEPEST:
        raise ValueError(f'brackets are nested more than {DEEPEST} deep')
    if text.startswith('dict(') and _is_enclosed(text[4:]):
        return dict(_entry(part, '=', depth) for part in _split(text[5:-1]))
    if _is_enclosed(text):
        inside = _split(text[1:-1])
        if text[0] == '{':
            return dict(_entry(part, ':', depth) for part in inside)
        values = [_parse(part, in_dict, depth + 1) for part in inside]
        return tuple(values) if text[0] == '(' else values
    if text[:1] in PAIRS or text.startswith('dict('):
        _split(text)  # checks the brackets: (a|b)c is a text, (a|b is none
    if _is_quoted(text) and (in_dict or ',' in text):
        return text[1:-1]
    if in_dict and text == 'null':
        return None
    return _scalar(text.strip(QUOTES))


def _entry(text: str, separator: str, depth: int) -> tuple[str, Any]:
    """Parse an entry of a dictionary: `key=value` or `"key": value`."""
    places = (place for place, char, level in _outside(text) if char == separator and level == 0)
    place = next(places, None)
    key = '' if place is None else text[:place].strip()
    key = key[1:-1] if separator == ':' and _is_quoted(key) else key
    if place is None or not (key.isidentifier() if separator == '=' else key):
        form = 'dict(key=value)' if separator == '=' else '{"key": value}'
        raise ValueError(f'expected {form}, got the entry {text.strip()!r:.80}')
    return key, _parse(text[place + 1 :], True, depth + 1)


def _scalar(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    if text == 'None':
        return None
    return CONSTANTS.get(text.lower(), text)


def _split(text: str) -> list[str]:
    """Split at the commas outside of brackets and quotes; one at the end separates nothing.

    Raises:
        ValueError: Brackets do not match.
    """
    commas = _commas(text)
    starts = [0, *(place + 1 for place in commas)]
    parts = [text[i:j] for i, j in zip(starts, [*commas, len(text)], strict=True)]
    return parts if parts[-1].strip() else parts[:-1]


def _commas(text: str) -> list[int]:
    return [place for place, char, level in _outside(text) if char == ',' and level == 0]


def _is_enclosed(text: str) -> bool:
    """Whether a text's first bracket is closed by its last character."""
    if text[:1] not in PAIRS or text[-1:] != PAIRS[text[0]]:
        return False
    inner = [level for _, _, level in _outside(text)]
    return 0 not in inner[1:-1]


def _is_quoted(text: str) -> bool:
    return len(text) > 1 and text[0] in QUOTES and text.find(text[0], 1) == len(text) - 1


def _outside(text: str) -> Iterator[tuple[int, str, int]]:
    """Yield place, character and depth of what is outside of quotes; a bracket has its outer depth.

    A quote opens where an element begins, if it is closed later: `dog's` has none.

    Raises:
        ValueError: Brackets do not match.
    """
    closing: list[str] = []
    place, begins = 0, True
    while place < len(text):
        char = text[place]
        end = text.find(char, place + 1) if begins and char in QUOTES else -1
        if end > 0:
            place, begins = end + 1, False
            continue
        if char in PAIRS.values() and (not closing or closing.pop() != char):
            raise ValueError(f'{char!r} closes no bracket')
        yield place, char, len(closing)
        if char in PAIRS:
            closing.append(PAIRS[char])
        begins = char in '[({,:=' or (begins and char.isspace())
        place += 1
    if closing:
        raise ValueError(f'a bracket is not closed: expected {closing[-1]!r}')
