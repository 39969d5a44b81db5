"""Write a page that shows two runs or more side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from effnet_dense.report import charts, scalars
from effnet_dense.report.class_figures import class_figures
from effnet_dense.report.page import HEADLINES, load_run, write_html
from effnet_dense.report.run_sections import ABSENT, measured
from effnet_dense.report.scalars import Scalars, read_scalars
from effnet_dense.report.scores import Difference
from effnet_dense.report.sections import Cell, Chart, Section, Table
from effnet_dense.report.store import report_folder
from effnet_dense.report.summary import summary_section
from effnet_dense.utils.output_folders import check_folder
from effnet_dense.utils.outputs import claim_folder

FILE = 'comparison.html'
SIZES = {'s': 'small', 'm': 'medium', 'l': 'large'}
NAMES = {
    **HEADLINES,
    **{
        f'coco/{kind}_mAP_{letter}': f'{name} AP, {size} objects'
        for kind, name in (('bbox', 'box'), ('segm', 'mask'))
        for letter, size in SIZES.items()
    },
}


class Run:
    """What a work folder's report says."""

    def __init__(self, work_dir: Path, name: str) -> None:
        self.folder = report_folder(work_dir)
        self.name = name
        found = load_run(self.folder / 'data' / 'run.json')
        if found is None:
            raise FileNotFoundError(
                f'nothing to compare in {work_dir}: expected report/data/run.json, which an '
                'evaluation writes'
            )
        self.facts: Mapping[str, Any] = found
        self.scalars: Scalars = read_scalars(work_dir)


def write_comparison(work_dirs: Sequence[str | Path]) -> Path:
    """Write `report/comparison.html` into the first of the work folders.

    Args:
        work_dirs: Two at least.

    Returns:
        Path of the page.

    Raises:
        FileNotFoundError: A folder has no report.
        OSError: It cannot be written.
        ValueError: There are fewer than two folders, or the data of one are damaged.
    """
    folders = [Path(folder) for folder in work_dirs]
    if len({folder.resolve() for folder in folders}) < 2 or len(folders) < 2:
        raise ValueError(f'expected two work folders to compare, got {[*map(str, folders)]}')
    runs = [Run(folder, name) for folder, name in zip(folders, names_of(folders), strict=True)]
    out = runs[0].folder
    check_folder(out)
    claim_folder(out)
    sections = [
        _summaries(runs),
        _metrics(runs),
        *_classes(runs),
        *_curves(out, runs),
    ]
    title = ' and '.join(run.name for run in runs)
    subtitle = ' · '.join(f'{run.name}: {run.facts["what"]}' for run in runs)
    return write_html(out / FILE, title, subtitle, [], sections)


def names_of(folders: Sequence[Path]) -> list[str]:
    """Return short, different names: those of the folders, else their paths."""
    short = [folder.resolve().name for folder in folders]
    return short if len(set(short)) == len(short) else [str(folder) for folder in folders]


def _summaries(runs: Sequence[Run]) -> Section:
    tables = [summary_section(run.facts).tables[0].rows for run in runs]
    rows = [dict((str(row[0]), row[1]) for row in table) for table in tables]
    keys = dict.fromkeys(key for each in rows for key in each)
    table = Table(
        ['', *(run.name for run in runs)],
        [[key, *(str(each.get(key, '–')) for each in rows)] for key in keys],
    )
    return Section('summary', 'Summary', tables=[table])


def _metrics(runs: Sequence[Run]) -> Section:
    figures = [dict(run.facts['metrics']) for run in runs]
    keys = dict.fromkeys(key for each in figures for key in each)
    rows = [
        _differences(NAMES.get(key, key), [measured(each.get(key, -1.0)) for each in figures])
        for key in keys
    ]
    absent = any(value != value for row in rows for value in row[1:])
    evaluated = {(run.facts['images'], tuple(run.facts['classes'])) for run in runs}
    notes = [] if len(evaluated) == 1 else ['The runs were evaluated on different data.']
    notes += [ABSENT] if absent else []
    return Section('metrics', 'Metrics', ' '.join(notes), tables=[Table(_columns(runs), rows)])


def _columns(runs: Sequence[Run]) -> list[str]:
    return ['', *(run.name for run in runs), *(f'{run.name} − {runs[0].name}' for run in runs[1:])]


def _differences(name: str, values: list[float]) -> list[Cell]:
    """Make a row of figures, and their differences to the first one."""
    return [name, *values, *(Difference(value - values[0]) for value in values[1:])]


def _classes(runs: Sequence[Run]) -> list[Section]:
    """Tabulate the figures of each class; no section without any."""
    found = [class_figures(run.folder / 'data', run.facts['classes']) for run in runs]
    tables = []
    for kind in dict.fromkeys(kind for each in found for kind in each):
        values = [dict(each.get(kind, ())) for each in found]
        labels = dict.fromkeys(label for each in values for label in each)
        rows = [
            _differences(label, [each.get(label, float('nan')) for each in values])
            for label in labels
        ]
        columns = _columns(runs)
        tables.append(Table([kind, *columns[1:]], rows))
    return [Section('classes', 'Classes', tables=tables)] if tables else []


def _curves(out: Path, runs: Sequence[Run]) -> list[Section]:
    """Draw the losses, and the validations' main figures, of all runs into one chart each."""
    shown = []
    unit = 'epoch' if all(run.scalars.by_epoch for run in runs) else 'step'
    names = [('loss', 'training', 'step', 'Loss')]
    results = dict.fromkeys(
        name for run in runs for name in scalars.names(run.scalars.validation) if name in HEADLINES
    )
    main = [name for name in results if not name.endswith(('_50', '_75'))]
    names += [(name, 'validation', unit, HEADLINES[name]) for name in main]
    for number, (name, rows, along, caption) in enumerate(names):
        curves = [(run.name, *scalars.series(getattr(run.scalars, rows), name)) for run in runs]
        curves = [curve for curve in curves if len(curve[1]) > 1]
        if curves:
            file = charts.lines(out / f'compared_{number}.png', curves, along, caption)
            shown.append(Chart(file, f'{caption} of each run'))
    return [Section('curves', 'Training', charts=shown)] if shown else []
