"""A part's results, written to a JSON file whenever one is added."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from effnet_dense.utils.atomic import atomic_write
from effnet_dense.utils.json_text import json_text
from effnet_dense.utils.outputs import claim

RUNNING = 'running'


@dataclass
class Record:
    """What a part has found so far.

    Args:
        path: Its JSON file.
        part: The part's name.
        state: How it ended, in words.
        seconds: How long it took.
        tables: Title → rows, each a column's name → its value.
        notes: Sentences.
    """

    path: Path
    part: str
    state: str = RUNNING
    seconds: float = 0.0
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, table: str, **row: Any) -> None:
        """Add a row to a table."""
        self.tables.setdefault(table, []).append(row)
        self.write()
        print(table, row, flush=True)

    def note(self, text: object) -> None:
        """Add a sentence."""
        self.notes.append(' '.join(str(text).split()))
        self.write()
        print(self.notes[-1], flush=True)

    def end(self, state: str, seconds: float) -> None:
        """Say how the part ended."""
        self.state, self.seconds = state, round(seconds, 1)
        self.write()

    def write(self) -> None:
        """Write the file."""
        content = {**asdict(self), 'path': self.path.name}
        atomic_write(claim(self.path), json_text(content, 1) + '\n', fsync=False)

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read what was written."""
        content = json.loads(path.read_text(encoding='utf-8'))
        return cls(**{**content, 'path': path})
