"""The parts of a page, and what they consist of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from effnet_dense.report.files import data_uri
from effnet_dense.report.overlays import Overlay

Cell = str | int | float


@dataclass
class Tile:
    """A headline figure."""

    value: str
    name: str


@dataclass
class Chart:
    """A chart with a caption; its text for those who cannot see it."""

    file: Path
    caption: str

    @property
    def uri(self) -> str:
        """The picture within an address."""
        return data_uri(self.file)


@dataclass
class Table:
    """Rows that can be sorted; the first column is a name, the others are figures."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass
class Gallery:
    """Images with predictions beside ground truth."""

    title: str
    overlays: Sequence[Overlay]


@dataclass
class Section:
    """A part of the page under one heading."""

    key: str  # its id in the page
    title: str
    note: str = ''
    charts: list[Chart] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    galleries: list[Gallery] = field(default_factory=list)
    text: str = ''  # as it stands: a config


def show(value: Cell) -> str:
    """A table's cell: three decimals, a dash for NaN."""
    if isinstance(value, float):
        return '–' if value != value else f'{value:.3f}'
    return str(value)
