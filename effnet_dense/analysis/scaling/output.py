"""Tables on the console, in Markdown and in JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

WIDTH = 200  # where the output is not a terminal


def print_table(title: str, headings: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    table = Table(*headings, title=title)
    for line in lines:
        table.add_row(*line)
    console.print(table)


def markdown(title: str, headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """The same as text."""
    ruled = [headings, ['---'] * len(headings), *lines]
    return '\n'.join([f'## {title}', '', *('| ' + ' | '.join(line) + ' |' for line in ruled), ''])


def write(folder: Path, name: str, content: Any, text: str) -> list[Path]:
    """Write `name`.json and .md; the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f'{name}.json', folder / f'{name}.md']
    write_json(paths[0], content)
    paths[1].write_text(text)
    return paths


def write_json(path: Path, content: Any) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f'{path.name}.part')
    part.write_text(json.dumps(content, indent=2, ensure_ascii=False) + '\n')
    part.replace(path)


def progress() -> Progress:
    """A bar that leaves the standard output alone."""
    return Progress(console=Console(stderr=True), transient=True)
