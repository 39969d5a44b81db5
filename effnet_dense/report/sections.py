"""Define the sections of a page and their contents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from effnet_dense.report.overlays import Overlay
from effnet_dense.report.panels import data_uri
from effnet_dense.report.scores import Difference, Score

Cell = str | int | float


@dataclass
class Tile:
    """A headline value."""

    value: str
    name: str


@dataclass
class Chart:
    """A chart with a caption, which is also its alternative text."""

    file: Path
    caption: str

    @property
    def uri(self) -> str:
        """Return the chart as a `data:` URI."""
        return data_uri(self.file)


@dataclass
class Table:
    """Sortable rows; cells are text or numbers."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass
class Gallery:
    """Images with ground truth and predictions."""

    title: str
    overlays: Sequence[Overlay]


@dataclass
class Section:
    """A part of the page with its own heading."""

    key: str  # id in the page
    title: str
    note: str = ''
    charts: list[Chart] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    galleries: list[Gallery] = field(default_factory=list)
    text: str = ''  # preformatted: a config


def show(value: Cell) -> str:
    """Format a cell: two decimals for scores, else three; a dash for NaN."""
    if isinstance(value, float):
        digits = '.2f' if isinstance(value, Score) else '.3f'
        sign = '+' if isinstance(value, Difference) and value else ''
        return '–' if value != value else f'{value:{sign}{digits}}'
    return str(value)
