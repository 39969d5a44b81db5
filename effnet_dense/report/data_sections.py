"""Make the page's section about the data: objects by class and by size in the resized image."""

from __future__ import annotations

from dataclasses import asdict, astuple
from pathlib import Path

import numpy as np
from mmengine.config import Config

from effnet_dense.data.folders import SPLITS
from effnet_dense.data.statistics import (
    HEADINGS,
    ClassCounts,
    count_config,
    imbalance,
    total,
    training_size,
)
from effnet_dense.evaluation.counts import draw_counts, height_of
from effnet_dense.report import charts
from effnet_dense.report.sections import Chart, Section, Table
from effnet_dense.report.store import OBJECTS, load_json, save_json

NAMES = {'train': 'Training', 'val': 'Validation'}


def save_objects(data: Path, cfg: Config, training: bool = True) -> None:
    """Count a config's objects for the page, if its datasets are COCO's and not too long.

    Args:
        data: The folder for the page's data.
        cfg: Of the run.
        training: The run trains. A test in a training's folder keeps the counts of what was
            trained on, of images of the same size.
    """
    size = str(training_size(cfg) or '')
    parts = {split: [asdict(row) for row in rows] for split, rows in count_config(cfg).items()}
    earlier = {} if training else load_json(data / OBJECTS) or {}
    if earlier.get('size') == size and 'train' in earlier['parts']:
        parts = {**parts, 'train': earlier['parts']['train']}
    if parts:
        save_json(data / OBJECTS, dict(size=size, parts=parts))
    else:
        (data / OBJECTS).unlink(missing_ok=True)


def data_sections(folder: Path) -> list[Section]:
    """Make a chart and a table for each part; no section without counts."""
    found = load_json(folder / 'data' / OBJECTS)
    if not found:
        return []
    size = f'resized to {found["size"]}' if found['size'] else 'not resized'
    section = Section('data', 'Data', f'Objects without crowd regions, in images {size}.')
    for split in filter(found['parts'].__contains__, SPLITS):
        _add(section, folder, split, [ClassCounts(**row) for row in found['parts'][split]])
    return [section]


def _add(section: Section, folder: Path, split: str, rows: list[ClassCounts]) -> None:
    counts = np.array([row.by_size for row in rows], dtype=np.int64).reshape(-1, 4)
    figure, axes = charts.new_figure(height=height_of(len(rows)))
    draw_counts(axes, [row.name for row in rows], counts)
    charts.add_legend(axes)
    file = charts.save(figure, folder / f'objects_{split}.png')
    caption = ': '.join(text for text in (NAMES[split], imbalance(rows)) if text)
    section.charts.append(Chart(file, caption))
    section.tables.append(Table([*HEADINGS], [*map(astuple, rows), total(rows)]))
