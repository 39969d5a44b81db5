"""YAML files as data: without the tags that make Python objects."""

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
    """mmengine's handler, whose loader calls what a file asks for by `!!python/object/apply`."""

    def load_from_fileobj(self, file: Any, **kwargs: Any) -> Any:
        """Read strings, numbers, lists and dictionaries.

        Raises:
            yaml.YAMLError: anything else is in the file, or it is no YAML.
        """
        return yaml.safe_load(file)


@contextmanager
def plain_yaml() -> Iterator[None]:
    """Let mmengine read YAML by `PlainYamlHandler`, in base files of configs too."""
    before: dict[str, BaseFileHandler] = {suffix: file_handlers[suffix] for suffix in SUFFIXES}
    file_handlers.update({suffix: PlainYamlHandler() for suffix in SUFFIXES})
    try:
        yield
    finally:
        file_handlers.update(before)
