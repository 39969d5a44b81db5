"""Format tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

RULES = {'l': '---', 'c': ':---:', 'r': '---:'}


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], align: str = 'l') -> str:
    """Format a table, without a newline at its end; `|` in a cell is escaped.

    Args:
        header: The columns' names.
        rows: Texts, one for each column.
        align: Letters 'l', 'c' or 'r', one for each column; the last one repeats: 'lr' aligns
            the first column left and all others right.

    Raises:
        ValueError: A row has another number of cells than the header.
    """
    letters = (align + align[-1] * len(header))[: len(header)]
    lines = [_line(header), _line([RULES[letter] for letter in letters])]
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f'expected {len(header)} cells in a row, got {len(row)}: {row}')
        lines.append(_line([cell.replace('|', r'\|') for cell in row]))
    return '\n'.join(lines)


def _line(cells: Sequence[str]) -> str:
    return '| ' + ' | '.join(cells) + ' |'
