"""Make the page's section about the data: objects by class and by size in the resized image."""

from __future__ import annotations

from dataclasses import asdict, astuple
from pathlib import Path

import numpy as np
from mmengine.config import Config

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
from effnet_dense.report.store import load_json, save_json

FILE = 'objects.json'
NAMES = {'train': 'Training', 'val': 'Validation'}


def save_objects(data: Path, cfg: Config) -> None:
    """Count a config's objects for the page, if its datasets are COCO's and not too long.

    Args:
        data: The folder for the page's data; counts that it holds are kept.
        cfg: Of the run.
    """
    if (data / FILE).is_file():
        return
    parts = {split: [asdict(row) for row in rows] for split, rows in count_config(cfg).items()}
    if parts:
        save_json(data / FILE, dict(size=str(training_size(cfg) or ''), parts=parts))


def data_sections(folder: Path) -> list[Section]:
    """Make a chart and a table for each part; no section without counts."""
    found = load_json(folder / 'data' / FILE)
    if not found:
        return []
    size = f'resized to {found["size"]}' if found['size'] else 'not resized'
    section = Section('data', 'Data', f'Objects without crowd regions, in images {size}.')
    for split, rows in found['parts'].items():
        _add(section, folder, split, [ClassCounts(**row) for row in rows])
    return [section]


def _add(section: Section, folder: Path, split: str, rows: list[ClassCounts]) -> None:
    counts = np.array([row.by_size for row in rows], dtype=np.int64).reshape(-1, 4)
    figure, axes = charts.new_figure(height=height_of(len(rows)))
    draw_counts(axes, [row.name for row in rows], counts)
    axes.legend(fontsize=8, frameon=False, labelcolor=charts.GREY)
    file = charts.save(figure, folder / f'objects_{split}.png')
    caption = ': '.join(text for text in (NAMES[split], imbalance(rows)) if text)
    section.charts.append(Chart(file, caption))
    section.tables.append(Table([*HEADINGS], [*map(astuple, rows), total(rows)]))
