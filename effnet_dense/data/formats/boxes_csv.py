"""Read boxes from CSV files, one box a line.

    filename,width,height,class,xmin,ymin,xmax,ymax      TensorFlow's, Roboflow's; in any order
    image,label,x,y,w,h                                  and other names for the same
    path/a.jpg,x1,y1,x2,y2,class                         RetinaNet's, without a header
    image_id,width,height,bbox                           Kaggle's: "[x, y, width, height]"
    ImageID,LabelName,XMin,XMax,YMin,YMax                Open Images': shares of the image's sides

Sources: https://roboflow.com/formats/tensorflow-object-detection-csv, the README of
fizyr/keras-retinanet, the data page of Kaggle's global-wheat-detection, and
https://storage.googleapis.com/openimages/web/download_v7.html.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from effnet_dense.data.formats.csv_rows import Columns, Row, columns_of, read_row
from effnet_dense.data.formats.folders import Folders, existing
from effnet_dense.data.formats.found import FoundData, FoundSplit
from effnet_dense.data.formats.layout import Layout
from effnet_dense.data.formats.parts import UNNAMED, part_of, pick_parts
from effnet_dense.data.formats.records import Records
from effnet_dense.data.formats.sidecars import IMAGES, ImageNames, left_out
from effnet_dense.data.formats.text import MAX_BYTES, read_head, read_text
from effnet_dense.data.image_files import REFUSED, image_size

FORMAT = 'CSV of boxes'
HEAD = 4096
UNNAMED_CLASS = 'object'
DELIMITERS = ',;\t|'
DESCRIPTIONS = 'class-descriptions'
"""Open Images' file with a name for each LabelName."""


@dataclass(frozen=True)
class _Table:
    path: Path
    columns: Columns
    delimiter: str


def locate_csv(root: Path, folders: Folders) -> Layout | None:
    """Find CSV files with columns for an image and a box.

    Raises:
        ValueError: Two files may be the same part's.
    """
    tables: dict[str, _Table] = {}
    for folder in existing(root, folders.sub(root, 'annotations')):
        _add(root, folders, folder, None, tables)
    for part, folder in folders.parts(root).items():
        _add(root, folders, folder, part, tables)
    if not tables:
        return None
    return Layout(
        format=FORMAT,
        source=', '.join(table.path.relative_to(root).as_posix() for table in tables.values()),
        parts=frozenset(tables),
        read=lambda: _read(root, folders, tables),
    )


def _add(
    root: Path, folders: Folders, folder: Path, part: str | None, tables: dict[str, _Table]
) -> None:
    for path in folders(folder).with_suffix('.csv', '.tsv'):
        table = _table(path)
        if table is None:
            continue
        own = part or part_of(path.stem) or UNNAMED
        if own in tables:
            names = ', '.join(str(p.relative_to(root)) for p in (tables[own].path, path))
            raise ValueError(f'{root} has several CSV files with boxes for one part: {names}')
        tables[own] = table


def _table(path: Path) -> _Table | None:
    """Recognise a table of boxes by its first line; None for another table."""
    lines = read_head(path, HEAD).splitlines()
    line = next((line for line in lines if line.strip()), '')
    delimiter = max(DELIMITERS, key=line.count)
    rows = list(csv.reader([line], delimiter=delimiter))
    found = columns_of(rows[0]) if rows else None
    return None if found is None else _Table(path, found, delimiter)


def _read(root: Path, folders: Folders, tables: Mapping[str, _Table]) -> FoundData:
    rows: dict[str, list[Row]] = {}
    for part, table in tables.items():
        for row in _rows(table):
            rows.setdefault(part_of(row.part) or part, []).append(row)
    names = {part: _name(root, part, tables) for part in rows}
    picked, remarks = pick_parts(rows, names)
    descriptions = _descriptions(folders(root).with_suffix('.csv'))
    dirs = {part: _image_dirs(root, folders, part) for part in picked}
    counts = _Counts()
    matched = {part: ImageNames(folders, dirs[part]) for part in picked}
    read = {
        part: _records(found, matched[part], descriptions, counts) for part, found in picked.items()
    }
    remarks += left_out(matched.values(), 'line')
    labels = {label for records in read.values() for label in records.labels}
    numbers = all(label.isdecimal() for label in labels)
    classes = sorted(labels, key=int) if numbers else sorted(labels)
    first = next(iter(tables.values())).path
    splits = {
        part: FoundSplit(
            records.coco(classes), dirs[part], tables[part].path if part in tables else first
        )
        for part, records in read.items()
    }
    if not any(splits[part].data['images'] for part in splits):
        raise ValueError(f'{first} has no lines with images')
    return FoundData(FORMAT, root, splits, (*remarks, *counts.remarks()))


@dataclass
class _Counts:
    """What is decided, or left out."""

    shares: bool = False
    classless: bool = False

    def remarks(self) -> Iterator[str]:
        """Describe what was decided."""
        if self.shares:
            yield 'coordinates are shares of the image’s sides, as in Open Images'
        if self.classless:
            yield f'there is no column for the class: all boxes are of one, {UNNAMED_CLASS!r}'


def _name(root: Path, part: str, tables: Mapping[str, _Table]) -> str:
    if part in tables:
        return tables[part].path.relative_to(root).as_posix()
    return f'the part {part!r}'


def _image_dirs(root: Path, folders: Folders, part: str) -> tuple[Path, ...]:
    bases = [folders.sub(root, name) for name in IMAGES]
    parts = [folders(base).parts().get(part) for base in (*bases, root)]
    return existing(
        *parts, *(folders.sub(own, name) for own in parts for name in IMAGES), *bases, root
    )


def _rows(table: _Table) -> Iterator[Row]:
    """Read a table's lines.

    Raises:
        ValueError: A line is faulty; the message names file and line.
    """
    text = io.StringIO(read_text(table.path, MAX_BYTES), newline='')
    reader = csv.reader(text, delimiter=table.delimiter, skipinitialspace=True)
    header = table.columns.header
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if header:
                header = False
                continue
            yield read_row(cells, table.columns)
    except (csv.Error, ValueError) as error:
        raise ValueError(f'{table.path}, line {reader.line_num}: {error}') from None


def _descriptions(files: list[Path]) -> dict[str, str]:
    """Read the names of Open Images' classes, if they are there."""
    found: dict[str, str] = {}
    for path in files:
        if path.name.lower().startswith(DESCRIPTIONS):
            lines = csv.reader(read_text(path).splitlines())
            found |= {cells[0]: cells[1] for cells in lines if len(cells) == 2}
    return found


def _records(
    rows: list[Row],
    names: ImageNames,
    descriptions: Mapping[str, str],
    counts: _Counts,
) -> Records:
    shares = _are_shares(rows)
    records, images = Records(), {}
    for row in rows:
        if row.image not in images:
            size = _size(row, names) if shares else row.size
            images[row.image] = records.add_image(names.match(row.image), size), size
        number, size = images[row.image]
        if row.box is None or (shares and size is None):  # checks name images that are missing
            continue
        width, height = size if shares and size is not None else (1, 1)
        x, y, w, h = row.box
        label = descriptions.get(row.label, row.label) or UNNAMED_CLASS
        records.add(number, label, (x * width, y * height, w * width, h * height), None, row.crowd)
        counts.classless |= not row.label
    counts.shares |= shares
    return records


def _are_shares(rows: list[Row]) -> bool:
    """Whether coordinates are shares of the image's sides: none beyond 1, and decimals."""
    values = [value for row in rows if row.box is not None for value in row.box]
    return bool(values) and max(values) <= 1 and any(not value.is_integer() for value in values)


def _size(row: Row, names: ImageNames) -> tuple[int, int] | None:
    path = names.find(row.image)
    if path is None:
        return None
    try:
        return image_size(path)
    except REFUSED:
        return None
