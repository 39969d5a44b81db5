"""Files that are there whole or not at all, also when they take hours to be written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def part_of(path: Path) -> Path:
    """Where a file is written until it is whole: beside itself, of the same format."""
    return path.with_name(f'.part-{path.name}')


def write_image(path: Path, image: NDArray[Any]) -> None:
    """Write an image (H, W) or (H, W, 3), BGR, in the format of the path's suffix.

    Raises:
        ValueError: OpenCV cannot write this format.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    try:
        written = cv2.imwrite(str(part), np.ascontiguousarray(image))
    except cv2.error as error:
        raise ValueError(f'cannot write {path}: {error}') from error
    if not written:
        raise ValueError(f'cannot write {path}')
    os.replace(part, path)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file."""
    part = part_of(path)
    part.write_text(json.dumps(content), encoding='utf-8')
    os.replace(part, path)


class JsonList:
    """A list in a JSON file that grows entry by entry, and gets its name when it is closed.

    Args:
        path: The file.
        before: JSON in front of the list, such as '{"annotations": '; `close` adds what follows.
    """

    def __init__(self, path: Path, before: str = '') -> None:
        self.path = path
        self.count = 0
        self._file = part_of(path).open('w', encoding='utf-8')
        self._file.write(f'{before}[')

    def add(self, entry: Any) -> None:
        """Write one entry."""
        self._file.write(',\n' if self.count else '\n')
        self._file.write(json.dumps(entry))
        self.count += 1

    def flush(self) -> None:
        """Give what was written to the system, for whoever looks at the unfinished file."""
        self._file.flush()

    def close(self, after: str = '') -> None:
        """Finish the file and give it its name."""
        self._file.write(f'\n]{after}\n')
        self._file.close()
        os.replace(part_of(self.path), self.path)
