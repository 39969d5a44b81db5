"""Read YAML and JSON as plain data: no Python objects, no aliases that grow, no dates or sets."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml
from mmengine.fileio import BaseFileHandler
from mmengine.fileio.handlers import JsonHandler, file_handlers
from mmengine.fileio.handlers.yaml_handler import YamlHandler

from effnet_dense.engine.checks.plain_data import (
    MAX_VALUES,
    check_distinct,
    check_mapping,
    check_size,
)
from effnet_dense.engine.checks.plain_values import MAX_DEPTH, TOO_DEEP, check_values

SUFFIXES = ('yaml', 'yml', 'json')
TAG = 'tag:yaml.org,2002:'
REFUSED = dict(
    binary='bytes',
    omap='an ordered mapping',
    pairs='a list of pairs',
    set='a set',
    timestamp='a date',
)
EXPONENT = re.compile(r'[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)[eE][-+]?[0-9]+\Z')
"""Numbers such as 1e-3, which YAML 1.1 reads as a text, YAML 1.2 and JSON as a number."""
AMBIGUOUS = re.compile(r'[-+]?(?:0[0-9_]+|[^.]*:.*)')
"""Octal and sexagesimal numbers of YAML 1.1, which YAML 1.2 and people read otherwise."""


class BoundedLoader(yaml.SafeLoader):
    """PyYAML's safe loader, with an end to merge keys (`<<`), which it expands by itself.

    A key that is written twice is an error: PyYAML would drop the first value. So are values that
    are no data of a config, and numbers that YAML's versions read differently.
    """

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._checked: set[int] = set()  # nodes, which have further keys once they are merged
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Read a value with those inside of it.

        Raises:
            ValueError: It is nested too deeply.
        """
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(TOO_DEEP)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def refused(self, node: yaml.Node) -> Any:
        """Raise the error of a value that is no data of a config.

        Raises:
            ValueError: Always.
        """
        kind = REFUSED[node.tag.removeprefix(TAG)]
        raise ValueError(f'{_place(node)} is {kind}: write a text in quotes, a number or a list')

    def number(self, node: Any) -> int | float:
        """Read a number.

        Raises:
            ValueError: It is ambiguous, or too large.
        """
        text = self.construct_scalar(node)
        if AMBIGUOUS.fullmatch(text):
            raise ValueError(
                f'{_place(node)}, {text:.40}, is read differently by versions of YAML: write a '
                'decimal number, or a text in quotes'
            )
        if node.tag == f'{TAG}int':
            return self.construct_yaml_int(node)
        value = self.construct_yaml_float(node)
        if math.isinf(value) and 'inf' not in text.lower():
            raise ValueError(f'{_place(node)}, {text:.40}, is too large for a number')
        return value

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge other mappings into one.

        Raises:
            ValueError: There are too many, or a key is written twice.
        """
        if id(node) not in self._checked:
            self._checked.add(id(node))
            keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            check_distinct(key.value for key in keys if key.value != '<<')
        super().flatten_mapping(node)
        # Some versions of PyYAML let the first of repeated keys win where this is merged again.
        last = {_identity(key): (key, value) for key, value in node.value}
        node.value = list(last.values())
        if len(node.value) > MAX_VALUES:
            raise ValueError(f'its merge keys expand to more than {MAX_VALUES} values')


def _identity(key: yaml.Node) -> Any:
    return (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else id(key)


BoundedLoader.add_implicit_resolver(f'{TAG}float', EXPONENT, list('-+.0123456789'))
for _name in REFUSED:
    BoundedLoader.add_constructor(TAG + _name, BoundedLoader.refused)
for _name in ('int', 'float'):
    BoundedLoader.add_constructor(TAG + _name, BoundedLoader.number)


def _place(node: yaml.Node) -> str:
    mark = node.start_mark
    return f'the value in line {mark.line + 1}, column {mark.column + 1}'


class PlainYamlHandler(YamlHandler):
    """mmengine's handler with a safe loader: its own runs `!!python/object/apply` tags."""

    def load_from_fileobj(self, file: Any, **kwargs: Any) -> Any:
        """Read strings, numbers, lists and dictionaries.

        Raises:
            yaml.YAMLError: The file contains anything else, or is not YAML.
            ValueError: It is no mapping, contains itself, grows too large, or has values that are
                no data of a config.
        """
        content = yaml.load(file, BoundedLoader)
        check_size(content)
        check_mapping(content)
        check_values(content)
        return content


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    check_distinct(key for key, _ in pairs)
    return dict(pairs)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f'{text:.40} is too large for a number')
    return value


class PlainJsonHandler(JsonHandler):
    """mmengine's handler, for files that must be a mapping."""

    def load_from_fileobj(self, file: Any) -> Any:
        """Read a mapping.

        Raises:
            json.JSONDecodeError: The file is not JSON.
            ValueError: It is no mapping, has a key twice, or values that are no data of a config.
        """
        content = json.load(file, object_pairs_hook=_distinct, parse_float=_finite)
        check_mapping(content)
        check_values(content)
        return content


@contextmanager
def plain_yaml() -> Iterator[None]:
    """Make mmengine read YAML and JSON, base files of configs included, by these handlers."""
    before: dict[str, BaseFileHandler] = {suffix: file_handlers[suffix] for suffix in SUFFIXES}
    own = dict(yaml=PlainYamlHandler(), yml=PlainYamlHandler(), json=PlainJsonHandler())
    file_handlers.update(own)
    try:
        yield
    finally:
        file_handlers.update(before)
