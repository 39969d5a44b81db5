"""Read XML files without DTDs: no entities that expand, no references to other files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from effnet_dense.data.formats.text import MAX_BYTES
from effnet_dense.utils.regular_files import open_regular

MAX_DEPTH = 64
HEAD = 4096
CHUNK = 2**20


class _Refused(ValueError):
    """Raised for XML that is valid but not read."""


class _Elements:
    """Builds the root's children one by one, so that a large file is never a tree as a whole."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.done: list[Element] = []
        self._depth = 0
        self._builder: TreeBuilder | None = None

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _Refused(f'elements nested deeper than {MAX_DEPTH}')
        if self._depth == 1:
            self.done.append(Element(tag, attributes))
            return
        if self._builder is None:
            self._builder = TreeBuilder()
        self._builder.start(tag, attributes)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if self._builder is not None:
            self._builder.end(tag)
        if self._depth == 1 and self._builder is not None:
            self.done.append(self._builder.close())
            self._builder = None

    def _data(self, text: str) -> None:
        if self._builder is not None:
            self._builder.data(text)

    def _doctype(self, *_: object) -> None:
        raise _Refused('a document type (<!DOCTYPE …>), which may define entities')


def read_xml(path: Path) -> Iterator[Element]:
    """Yield the root without its content, then each of its children.

    Raises:
        ValueError: It cannot be read, is not XML, is truncated, or has a document type; the
            message names file and line.
    """
    elements = _Elements()
    try:
        with open_regular(path) as file:
            if file.seek(0, 2) > MAX_BYTES:
                raise _Refused(f'it is larger than {MAX_BYTES} bytes')
            file.seek(0)
            while chunk := file.read(CHUNK):
                elements.parser.Parse(chunk, False)
                yield from elements.done
                elements.done.clear()
        elements.parser.Parse(b'', True)
    except expat.ExpatError as error:
        reason, place = expat.ErrorString(error.code), f'line {error.lineno}'
        raise ValueError(f'{path} is not valid XML: {reason} at {place}') from error
    except OSError as error:
        raise ValueError(f'{path} cannot be read: {error.strerror}') from error
    except (ValueError, LookupError) as error:  # refused, no regular file, an unknown encoding
        raise ValueError(f'{path} cannot be read: {error}') from error
    yield from elements.done


def root_tag(path: Path) -> str:
    """Return the name of a file's root element; '' if it is no XML."""
    elements = _Elements()
    try:
        with open_regular(path) as file:
            elements.parser.Parse(file.read(HEAD), False)
    except (OSError, ValueError, LookupError, expat.ExpatError):
        pass  # readers say what is wrong with files that they take
    return elements.done[0].tag if elements.done else ''
