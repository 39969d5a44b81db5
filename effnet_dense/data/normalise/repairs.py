"""Repairs: what was changed in a dataset's records, how often, and examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from effnet_dense.data.findings import EXAMPLES
from effnet_dense.utils.progress import track

Record = dict[str, Any]


@dataclass(frozen=True)
class Repair:
    """One kind of repair in a part: how often it was made, and the first examples."""

    kind: str
    count: int
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        quoted = f': {", ".join(self.examples)}' if self.examples else ''
        more = ', …' if self.examples and self.count > len(self.examples) else ''
        return f'repaired: {self.count} × {self.kind}{quoted}{more}'


class RepairLog:
    """Collects repairs by kind, in the order of their first."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def add(self, kind: str, example: str) -> None:
        """Count a repair."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        examples = self._examples.setdefault(kind, [])
        if len(examples) < EXAMPLES:
            examples.append(example)

    def repairs(self) -> tuple[Repair, ...]:
        """Return what was collected."""
        return tuple(
            Repair(kind, count, tuple(self._examples[kind])) for kind, count in self._counts.items()
        )


def rewritten(
    records: list[Record],
    change: Callable[[int, Record], Record | None],
    description: str = 'Repairing records',
) -> list[Record]:
    """Replace records.

    Args:
        records: Left unchanged.
        change: Position and record → the new record, None to keep it.
        description: What a progress bar says.

    Returns:
        The same list if no record changes.
    """
    changed: list[Record] | None = None
    for index, record in enumerate(track(records, description)):
        new = change(index, record)
        if new is not None:
            if changed is None:
                changed = list(records)
            changed[index] = new
    return records if changed is None else changed


def image_name(index: int, record: Record) -> str:
    """Name an image in messages by its file, else by its position."""
    name = record.get('file_name')
    return name if isinstance(name, str) and name else f'images[{index}]'


def annotation_name(index: int, record: Record) -> str:
    """Name an annotation in messages by its id, else by its position."""
    return f'id {record["id"]!r:.40}' if 'id' in record else f'annotations[{index}]'
