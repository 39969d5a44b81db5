"""Print on the console: tables, texts with any characters."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from effnet_dense.utils.controls import escape_controls

WIDTH = 200
"""Characters per line if the output is not a terminal."""


def print_any_character() -> None:
    """Make standard output and error escape what their encoding lacks, instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        escape_unknown(stream)


def escape_unknown(stream: Any, encoding: str | None = None) -> None:
    r"""Make a text stream write `\xdf` for a character that its encoding lacks.

    Args:
        stream: Anything; what is not Python's own text stream stays.
        encoding: Change it to this one.
    """
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding=encoding, errors='backslashreplace')


def one_line(text: object) -> str:
    """Escape line breaks, control characters and bytes that are not UTF-8, as file names have."""
    return ''.join(
        char if char.isprintable() else char.encode('unicode_escape').decode() for char in str(text)
    )


def print_table(
    title: str, header: Sequence[str], rows: Iterable[Sequence[str]], align: str = 'l'
) -> None:
    """Print a table on standard output.

    Args:
        title: Printed above the table.
        header: The columns' names.
        rows: Texts, one for each column.
        align: See `utils.markdown.markdown_table`.
    """
    kinds = {'l': 'left', 'c': 'center', 'r': 'right'}
    table = Table(title=title)
    for letter, name in zip(align + align[-1] * len(header), header, strict=False):
        table.add_column(name, justify=kinds[letter], no_wrap=not table.columns)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*(Text(escape_controls(cell)) for cell in row))
    console = Console()
    (console if console.is_terminal else Console(width=WIDTH)).print(table)
