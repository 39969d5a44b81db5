"""Read YAML configs as plain data, without tags that create Python objects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml
from mmengine.fileio import BaseFileHandler
from mmengine.fileio.handlers import file_handlers
from mmengine.fileio.handlers.yaml_handler import YamlHandler

SUFFIXES = ('yaml', 'yml')


class PlainYamlHandler(YamlHandler):
    """mmengine's handler with a safe loader: its own runs `!!python/object/apply` tags."""

    def load_from_fileobj(self, file: Any, **kwargs: Any) -> Any:
        """Read strings, numbers, lists and dictionaries.

        Raises:
            yaml.YAMLError: The file contains anything else, or is not YAML.
        """
        return yaml.safe_load(file)


@contextmanager
def plain_yaml() -> Iterator[None]:
    """Make mmengine read YAML, base files of configs included, by `PlainYamlHandler`."""
    before: dict[str, BaseFileHandler] = {suffix: file_handlers[suffix] for suffix in SUFFIXES}
    file_handlers.update({suffix: PlainYamlHandler() for suffix in SUFFIXES})
    try:
        yield
    finally:
        file_handlers.update(before)
