"""Read YAML as plain data, without tags that create Python objects or aliases that grow."""

from __future__ import annotations

import json
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

SUFFIXES = ('yaml', 'yml', 'json')


class BoundedLoader(yaml.SafeLoader):
    """PyYAML's safe loader, with an end to merge keys (`<<`), which it expands by itself.

    A key that is written twice is an error: PyYAML would drop the first value.
    """

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._checked: set[int] = set()  # nodes, which have further keys once they are merged

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


class PlainYamlHandler(YamlHandler):
    """mmengine's handler with a safe loader: its own runs `!!python/object/apply` tags."""

    def load_from_fileobj(self, file: Any, **kwargs: Any) -> Any:
        """Read strings, numbers, lists and dictionaries.

        Raises:
            yaml.YAMLError: The file contains anything else, or is not YAML.
            ValueError: It is no mapping, contains itself or grows too large.
        """
        content = yaml.load(file, BoundedLoader)
        check_size(content)
        check_mapping(content)
        return content


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    check_distinct(key for key, _ in pairs)
    return dict(pairs)


class PlainJsonHandler(JsonHandler):
    """mmengine's handler, for files that must be a mapping."""

    def load_from_fileobj(self, file: Any) -> Any:
        """Read a mapping.

        Raises:
            json.JSONDecodeError: The file is not JSON.
            ValueError: It is no mapping, or has a key twice.
        """
        content = json.load(file, object_pairs_hook=_distinct)
        check_mapping(content)
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
