"""One page in Markdown of all parts' tables, which the documentation can take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu.record import Record
from benchmarks.tables import ALIGN, EMPTY
from effnet_dense.utils.atomic import atomic_write
from effnet_dense.utils.markdown import markdown_table
from effnet_dense.utils.outputs import claim

NAME = 'gpu.md'
TITLE = '# Results on a GPU\n\n'
DRY = '# Dry run on the CPU\n\nIt shows that everything runs; its figures say nothing of a GPU.\n\n'
REASONS = ('state', 'error')  # columns of rows without figures


def write_page(folder: Path, parts: Iterable[str], dry: bool = False) -> Path:
    """Write the page of those parts that have results; return its path."""
    paths = [folder / f'{part}.json' for part in parts]
    records = [Record.read(path) for path in paths if path.exists()]
    path = claim(folder / NAME)
    atomic_write(path, (DRY if dry else TITLE) + '\n'.join(map(section, records)))
    return path


def section(record: Record) -> str:
    """Return a part as a section."""
    lines = [f'## {record.part}', f'{record.state}, {record.seconds:.0f} s.', *record.notes]
    for title, rows in record.tables.items():
        lines += [f'### {title}', table(rows)]
    return '\n\n'.join(lines) + '\n'


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as a table; a row need not have all columns."""
    return markdown_table(*cells(rows), ALIGN)


def cells(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return the names of all rows' columns, reasons last, and each row's texts."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    columns.sort(key=REASONS.__contains__)
    return columns, [[cell(row.get(name)) for name in columns] for row in rows]


def cell(value: Any) -> str:
    """Format a value, numbers with three significant digits."""
    if value is None:
        return EMPTY
    if not isinstance(value, float):
        return str(value)
    return f'{value:.0f}' if abs(value) >= 100 else f'{value:.3g}'
