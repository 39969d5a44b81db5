"""Write a long JSON list entry by entry."""

from __future__ import annotations

import json
from io import FileIO
from pathlib import Path
from typing import Any

from effnet_dense.utils.atomic import partial_path
from effnet_dense.utils.outputs import new_output


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
        self._file = FileIO(partial_path(path), 'w')
        self._written = 0
        self._pending = [f'{prefix}[']

    def add(self, entry: Any) -> None:
        """Add one entry, which `flush` writes."""
        self._pending.append(',\n' if self.count else '\n')
        self._pending.append(json.dumps(entry))
        self.count += 1

    def flush(self) -> None:
        """Write the entries that were added, all of them or none.

        Raises:
            OSError: The disk is full, for example; the file is as before.
        """
        rest = memoryview(''.join(self._pending).encode())
        size = len(rest)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            self._file.truncate(self._written)
            self._file.seek(self._written)
            raise
        self._written += size
        self._pending.clear()

    def drop(self, count: int) -> None:
        """Forget the entries added since the last `flush`; there were `count` in all by then."""
        self._pending = [] if self._written else self._pending[:1]
        self.count = count

    def close(self, suffix: str = '') -> None:
        """Finish the file and give it its final name."""
        with new_output(self.path), self._file:
            self._pending.append(f'\n]{suffix}\n')
            self.flush()
