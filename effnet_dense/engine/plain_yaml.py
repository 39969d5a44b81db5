"""Read YAML as plain data, without tags that create Python objects or aliases that grow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml
from mmengine.fileio import BaseFileHandler
from mmengine.fileio.handlers import JsonHandler, file_handlers
from mmengine.fileio.handlers.yaml_handler import YamlHandler

from effnet_dense.engine.checks.plain_data import MAX_VALUES, check_mapping, check_size

SUFFIXES = ('yaml', 'yml', 'json')


class BoundedLoader(yaml.SafeLoader):
    """PyYAML's safe loader, with an end to merge keys (`<<`), which it expands by itself."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge other mappings into one.

        Raises:
            ValueError: There are too many.
        """
        super().flatten_mapping(node)
        if len(node.value) > MAX_VALUES:
            raise ValueError(f'its merge keys expand to more than {MAX_VALUES} values')


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


class PlainJsonHandler(JsonHandler):
    """mmengine's handler, for files that must be a mapping."""

    def load_from_fileobj(self, file: Any) -> Any:
        """Read a mapping.

        Raises:
            json.JSONDecodeError: The file is not JSON.
            ValueError: It is no mapping.
        """
        content = super().load_from_fileobj(file)
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
