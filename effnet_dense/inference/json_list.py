"""Write a long JSON list entry by entry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from effnet_dense.utils.atomic import atomic_path, partial_path
from effnet_dense.utils.outputs import claim


class JsonList:
    """A list in a JSON file that grows entry by entry, and gets its final name in `close`.

    Until then it is at `partial_path(path)`, where it stays if the process ends earlier.

    Args:
        path: The file.
        prefix: JSON before the list, such as '{"annotations": '; `close` adds what follows it.
    """

    def __init__(self, path: Path, prefix: str = '') -> None:
        self.path = path
        self.count = 0
        self._file = partial_path(path).open('w', encoding='utf-8')
        self._file.write(f'{prefix}[')

    def add(self, entry: Any) -> None:
        """Write one entry."""
        self._file.write(',\n' if self.count else '\n')
        self._file.write(json.dumps(entry))
        self.count += 1

    def flush(self) -> None:
        """Flush what was written, so that the unfinished file can be read."""
        self._file.flush()

    def close(self, suffix: str = '') -> None:
        """Finish the file and give it its final name."""
        with atomic_path(claim(self.path)), self._file:
            self._file.write(f'\n]{suffix}\n')
