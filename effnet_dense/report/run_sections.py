"""Make the page's sections about a run: curves, versions and hardware, config."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from effnet_dense.engine.figures import duration
from effnet_dense.report import charts, scalars
from effnet_dense.report.scalars import UNKNOWN, Scalars
from effnet_dense.report.sections import Chart, Section, Table

ABSENT = (
    'A dash stands for a figure that nothing was measured for: the data have no objects of this '
    'size or class (pycocotools writes −1).'
)
SIZES = ('_s', '_m', '_l')
"""Suffixes of CocoMetric's values for small, medium and large objects."""


def curve_sections(folder: Path, found: Scalars) -> list[Section]:
    """Make charts of losses, metrics and learning rates; none without training."""
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
    note = _short_curves(found)
    return [Section('curves', 'Training', note, charts=kept)] if kept or note else []


def run_sections(run: Mapping[str, Any], found: Scalars) -> list[Section]:
    """Make tables of versions, hardware, times and all metrics, and the config."""
    facts = {'Evaluated': run['what'], 'Date': run['date'], 'Duration of the run': run['duration']}
    if found.seconds:
        facts['Training steps took'] = duration(found.seconds)
    facts.update({'Images': str(run['images']), **run['hardware'], **run['versions']})
    figures = [[name, measured(value)] for name, value in run['metrics'].items()]
    absent = any(value == UNKNOWN for value in run['metrics'].values())
    return [
        Section(
            'run',
            'Run',
            ABSENT if absent else '',
            tables=[Table(['', ''], list(facts.items())), Table(['metric', 'value'], figures)],
        ),
        Section('config', 'Config', text=run['config']),
    ]


def measured(value: float) -> float:
    """Return a metric; NaN, which is shown as a dash, in place of pycocotools' −1."""
    return float('nan') if value == UNKNOWN else value


def _short_curves(found: Scalars) -> str:
    """Explain which curves are missing because there is one point only."""
    kinds = {'validation': found.validation, 'logged step': found.training}
    single = [name for name, rows in kinds.items() if len(rows) == 1]
    if not single:
        return ''
    return (
        f'There is one {" and one ".join(single)} so far: a curve is drawn from two on, the '
        'figures are in the table below.'
    )


def _rates(found: Scalars) -> list[str]:
    """Name the first parameter group's rate, and the base rate if it differs."""
    differs = any(row.get('lr') != row.get('base_lr', row.get('lr')) for row in found.training)
    return ['base_lr', 'lr'] if differs else ['lr']


def _chart(
    file: Path, rows: list[scalars.Row], names: list[str], unit: str, caption: str
) -> Chart | None:
    curves = [(name, *scalars.series(rows, name)) for name in names]
    curves = [curve for curve in curves if len(curve[1]) > 1]
    if not curves:
        return None
    return Chart(charts.lines(file, curves, unit), caption)
