"""The page about a run: its curves, what it was made with, its config."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from effnet_dense.report import about, charts, scalars
from effnet_dense.report.files import load_json
from effnet_dense.report.scalars import Scalars
from effnet_dense.report.sections import Chart, Section, Table

SIZES = ('_s', '_m', '_l')
"""Ends of the names of CocoMetric's figures of small, medium and large objects."""


def curve_sections(folder: Path, found: Scalars) -> list[Section]:
    """Losses, learning rates and metrics; nothing without a training."""
    names = scalars.names(found.training)
    losses = sorted((name for name in names if 'loss' in name), key=lambda name: name != 'loss')
    metrics = [name for name in scalars.names(found.validation) if not name.endswith(SIZES)]
    unit = 'epoch' if found.by_epoch else 'step'
    shown = [
        _chart(folder / 'losses.png', found.training, losses, 'step', 'Losses'),
        _chart(folder / 'metrics.png', found.validation, metrics, unit, 'Validation'),
        _chart(folder / 'rates.png', found.training, _rates(found), 'step', 'Learning rates'),
    ]
    kept = [chart for chart in shown if chart is not None]
    return [Section('curves', 'Training', charts=kept)] if kept else []


def run_sections(run: Mapping[str, Any], found: Scalars) -> list[Section]:
    """Versions, hardware, times, all figures, and the config."""
    facts = {'Evaluated': run['what'], 'Date': run['date'], 'Duration of the run': run['duration']}
    if found.seconds:
        facts['Training steps took'] = about.duration(found.seconds)
    facts.update({'Images': str(run['images']), **run['hardware'], **run['versions']})
    figures = [[name, value] for name, value in run['metrics'].items()]
    return [
        Section(
            'run',
            'Run',
            tables=[Table(['', ''], list(facts.items())), Table(['metric', 'value'], figures)],
        ),
        Section('config', 'Config', text=run['config']),
    ]


def skipped_sections(work_dir: Path) -> list[Section]:
    """Images that were left out, if the work folder lists some in skipped.json."""
    skipped = load_json(work_dir / 'skipped.json')
    if not skipped:
        return []
    items = skipped.items() if isinstance(skipped, dict) else enumerate(skipped, 1)
    rows = [[str(key), _words(value)] for key, value in items]
    return [Section('skipped', 'Skipped images', tables=[Table(['', 'image'], rows)])]


def _words(value: Any) -> str:
    """An entry on one line."""
    if isinstance(value, dict):
        return ', '.join(f'{key}: {_words(each)}' for key, each in value.items())
    if isinstance(value, list):
        return ', '.join(_words(each) for each in value)
    return str(value)


def _rates(found: Scalars) -> list[str]:
    """The first group's rate, and the base one where it is another."""
    differs = any(row.get('lr') != row.get('base_lr', row.get('lr')) for row in found.training)
    return ['base_lr', 'lr'] if differs else ['lr']


def _chart(
    file: Path, rows: list[scalars.Row], names: list[str], unit: str, caption: str
) -> Chart | None:
    curves = [(name, *scalars.series(rows, name)) for name in names]
    curves = [curve for curve in curves if curve[1]]
    if not curves:
        return None
    return Chart(charts.lines(file, curves, unit), caption)
