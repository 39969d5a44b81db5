"""classes.json: names of a label map's values or colours, and pixels without a class."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from effnet_dense.data.findings import duplicates, json_type
from effnet_dense.data.label_maps.colours import colour_name, parse_colour
from effnet_dense.data.label_maps.decode import MAX_VALUE, NO_CLASS
from effnet_dense.utils.controls import bad_names

CLASSES_FILE = 'classes.json'
EXPECTED_CLASSES = '{"classes": ["first", "second", …], "ignore": 255}, "ignore" is optional'
OTHER_FORMS = (
    'or {"values": {"0": "ignore", "255": "building"}}, or {"colours": {"#ff0000": "car", …}}'
)

IGNORE = 'ignore'
"""Name of values and colours whose pixels have no class."""

MAPPINGS = ('values', 'colours', 'colors')
"""Keys of classes.json whose objects name single values or colours."""


@dataclass(frozen=True)
class LabelClasses:
    """Names of a dataset's classes, and how the pixels of its label maps say them.

    Attributes:
        names: In the order of the labels 0, 1, …
        ignore: Value of pixels without a class, if values are labels.
        values: Value in a file → label, 255 for no class; None if values are labels.
        colours: Colour in a file (0xRRGGBB) → label; None if pixels are values.
        unknown_ignored: Other values and colours have no class; by default they are errors.
    """

    names: tuple[str, ...]
    ignore: int | None = None
    values: Mapping[int, int] | None = None
    colours: Mapping[int, int] | None = None
    unknown_ignored: bool = False

    def listed(self) -> frozenset[int]:
        """Return the values or colours that are a class, or are listed as none."""
        table = self.values if self.colours is None else self.colours
        ignored = () if self.ignore is None else (self.ignore,)
        return frozenset(table if table is not None else (*range(len(self.names)), *ignored))

    def label_of(self, code: int) -> int | None:
        """Return the label of a value or colour: 255 for no class, None if it is unknown."""
        table = self.values if self.colours is None else self.colours
        if table is not None:
            label = table.get(code)
        elif code == self.ignore:
            label = NO_CLASS
        else:
            label = code if code < len(self.names) else None
        return NO_CLASS if label is None and self.unknown_ignored else label


def read_classes(path: Path) -> LabelClasses:
    """Read a classes.json.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: Not JSON, or not like `EXPECTED_CLASSES` or `OTHER_FORMS`.
    """
    if not path.is_file():
        raise FileNotFoundError(f'expected {path} with {EXPECTED_CLASSES}; there is none')
    try:
        data = json.loads(path.read_text(encoding='utf-8-sig'), object_pairs_hook=_no_repeats)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path} is not valid JSON: {error}') from error
    given = [key for key in ('classes', *MAPPINGS) if isinstance(data, dict) and key in data]
    if not given:
        got = f'the keys {sorted(data)}' if isinstance(data, dict) else json_type(data)
        raise ValueError(f'{path}: expected {EXPECTED_CLASSES}, {OTHER_FORMS}, got {got}')
    if len(given) > 1:
        raise ValueError(f'{path}: expected one of {given}, which all name the classes')
    unknown_ignored = _check_unknown(data.get('unknown'), path)
    if given == ['classes']:
        found = _listed(data, unknown_ignored, path)
        _check_printable(found.names, path)
        return found
    kind = given[0]
    if data.get('ignore') is not None or data.get('first') is not None:
        raise ValueError(
            f"{path}: 'ignore' and 'first' belong to 'classes'; in {kind!r} the name "
            f'"{IGNORE}" stands for pixels without a class'
        )
    found = _mapped(data[kind], kind, unknown_ignored, path)
    _check_printable(found.names, path)
    return found


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a JSON object, whose repeated keys Python would drop."""
    if repeated := duplicates(key for key, _ in pairs):
        raise ValueError(f'it repeats keys: {", ".join(repeated)}')
    return dict(pairs)


def _check_unknown(value: Any, path: Path) -> bool:
    if value not in (None, IGNORE):
        raise ValueError(f'{path}: \'unknown\' must be null or "{IGNORE}", got {value!r:.60}')
    return value == IGNORE


def _listed(data: Mapping[str, Any], unknown_ignored: bool, path: Path) -> LabelClasses:
    """Read {"classes": […], "ignore": …, "first": …}."""
    names = _check_names(data['classes'], path)
    first = data.get('first')
    if first is None or (type(first) is int and first == 0):
        ignore = _check_ignore(data.get('ignore'), range(len(names)), path)
        return LabelClasses(names, ignore, unknown_ignored=unknown_ignored)
    if type(first) is not int or not 0 <= first <= MAX_VALUE - len(names):
        raise ValueError(
            f"{path}: 'first' must be the value of the first class in the files, got {first!r:.60}"
        )
    values = {value: NO_CLASS for value in range(first)}
    values.update({first + label: label for label in range(len(names))})
    ignore = _check_ignore(data.get('ignore'), range(first, first + len(names)), path)
    if ignore is not None:
        values[ignore] = NO_CLASS
    return LabelClasses(names, None, values, unknown_ignored=unknown_ignored)


def _check_names(names: Any, path: Path) -> tuple[str, ...]:
    if not isinstance(names, list):
        raise ValueError(f"{path}: 'classes' must be a list of names, got {json_type(names)}")
    wrong = [f'position {i}: {name!r:.60}' for i, name in enumerate(names) if not _is_name(name)]
    if wrong:
        raise ValueError(f"{path}: 'classes' must be names, got {', '.join(wrong[:3])}")
    if repeated := duplicates(names):
        raise ValueError(f"{path}: 'classes' repeats names: {', '.join(repeated)}")
    if not 2 <= len(names) <= NO_CLASS:
        raise ValueError(
            f"{path}: expected 2 to {NO_CLASS} 'classes' (a background counts as one), "
            f'got {len(names)}'
        )
    return tuple(names)


def _check_printable(names: Sequence[str], path: Path) -> None:
    if wrong := bad_names(names):
        raise ValueError(f'{path}: names of classes: {wrong}')


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and name.strip() != ''


def _check_ignore(value: Any, classes: range, path: Path) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= MAX_VALUE:
        raise ValueError(f"{path}: 'ignore' must be null or a pixel value, got {value!r:.60}")
    if value in classes:
        raise ValueError(
            f"{path}: 'ignore' is {value}, which is also a class: 'classes' has "
            f'{len(classes)} names, for the values {classes[0]} to {classes[-1]}'
        )
    return value


def _mapped(content: Any, kind: str, unknown_ignored: bool, path: Path) -> LabelClasses:
    """Read {"values": {…}} or {"colours": {…}}; either side of a pair may be the name."""
    if not isinstance(content, dict) or not content:
        raise ValueError(f'{path}: {kind!r} must be an object, got {json_type(content)}')
    parse = _parse_value if kind == 'values' else parse_colour
    codes: dict[int, str | None] = {}
    for key, value in content.items():
        for code, name in _pairs(key, value, parse, f'{path}: {kind!r}'):
            if code in codes:
                written = str(code) if kind == 'values' else colour_name(code)
                raise ValueError(f'{path}: {kind!r} names {written} twice')
            codes[code] = name
    return named(codes, kind != 'values', unknown_ignored, f'{path}: {kind!r}')


def named(
    codes: Mapping[int, str | None],
    coloured: bool,
    unknown_ignored: bool = False,
    where: str = 'the table of classes',
) -> LabelClasses:
    """Number the names of values or colours in their order; a name may have several.

    Args:
        codes: Value or colour → name of its class; None or 'ignore' for no class.
        coloured: The codes are colours.
        unknown_ignored: Other codes have no class.
        where: What messages call the table.

    Raises:
        ValueError: There is no class, or too many.
    """
    names = tuple(dict.fromkeys(name for name in codes.values() if name not in (None, IGNORE)))
    if not 1 <= len(names) <= NO_CLASS:
        raise ValueError(f'{where} must name 1 to {NO_CLASS} classes, got {len(names)}')
    labels: dict[str | None, int] = {name: label for label, name in enumerate(names)}
    table = {code: labels.get(name, NO_CLASS) for code, name in codes.items()}
    values, colours = (None, table) if coloured else (table, None)
    return LabelClasses(
        tuple(map(str, names)), None, values, colours, unknown_ignored=unknown_ignored
    )


def _pairs(
    key: str, value: Any, parse: Callable[[Any], int | None], where: str
) -> list[tuple[int, str | None]]:
    """Read one entry: code → name, name → code, or name → list of codes."""
    code = parse(key)
    if code is not None and (value is None or _is_name(value)):
        return [(code, value)]
    if _is_name(key):
        whole = parse(value)
        several = value if whole is None and isinstance(value, list) else [value]
        codes = [parse(item) for item in several]
        if codes and None not in codes:
            return [(found, key) for found in codes if found is not None]
    raise ValueError(
        f'{where}: expected {"values" if parse is _parse_value else "colours"} with the names of '
        f'their classes, got {key!r:.60}: {value!r:.60}'
    )


def _parse_value(value: Any) -> int | None:
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    return value if type(value) is int and 0 <= value <= MAX_VALUE else None
