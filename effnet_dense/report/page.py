"""Write the page: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from effnet_dense.report.data_sections import data_sections
from effnet_dense.report.detection_sections import detection_sections
from effnet_dense.report.run_sections import curve_sections, run_sections
from effnet_dense.report.scalars import UNKNOWN, read_scalars
from effnet_dense.report.sections import Section, Tile, show
from effnet_dense.report.segmentation_sections import panoptic_sections, segmentation_sections
from effnet_dense.report.skipped import skipped_sections
from effnet_dense.report.store import load_json, report_folder
from effnet_dense.report.summary import summary_section
from effnet_dense.utils.controls import escape_controls
from effnet_dense.utils.output_folders import check_folder
from effnet_dense.utils.outputs import claim_folder, write_output

HEADLINES = {
    'coco/bbox_mAP': 'box AP',
    'coco/bbox_mAP_50': 'box AP50',
    'coco/bbox_mAP_75': 'box AP75',
    'coco/segm_mAP': 'mask AP',
    'coco/segm_mAP_50': 'mask AP50',
    'coco/segm_mAP_75': 'mask AP75',
    'mIoU': 'mean IoU, %',
    'mAcc': 'mean accuracy, %',
    'aAcc': 'pixel accuracy, %',
    'coco_panoptic/PQ': 'PQ',
    'coco_panoptic/SQ': 'SQ',
    'coco_panoptic/RQ': 'RQ',
}


FACTS = (
    *('classes', 'config', 'date', 'duration', 'hardware', 'images', 'metrics', 'palette'),
    *('score_thr', 'versions', 'what'),
)
"""What `hook.py` saves about an evaluated run."""


def write_page(work_dir: str | Path) -> Path:
    """Write `report/index.html` from the data of evaluation and training in a work folder.

    Equal data give identical pages. Images that are no longer readable keep the overlays that were
    drawn before.

    Returns:
        Path of the page.

    Raises:
        FileNotFoundError: There is no such folder, or it holds neither.
        OSError: It cannot be written into.
        ValueError: Its data are damaged.
    """
    work_dir, folder = Path(work_dir), report_folder(work_dir)
    if not work_dir.is_dir():
        raise FileNotFoundError(f'no such folder: {work_dir}')
    run = load_run(folder / 'data' / 'run.json')
    scalars = read_scalars(work_dir)
    if run is None and not (scalars.training or scalars.validation):
        raise FileNotFoundError(
            f'nothing to report in {work_dir}: expected report/data/run.json, which an '
            'evaluation writes, or */vis_data/scalars.json, which a training writes'
        )
    check_folder(folder)
    claim_folder(folder)
    sections: list[Section] = []
    if run is not None:
        sections.append(summary_section(run))
        sections += detection_sections(folder, run)
        sections += segmentation_sections(folder, run)
        sections += panoptic_sections(folder)
    sections += curve_sections(folder, scalars) + data_sections(folder)
    sections += skipped_sections(work_dir)
    if run is not None:
        sections += run_sections(run, scalars)
    title = (run or {}).get('name', work_dir.resolve().name)
    subtitle = ' · '.join(run[key] for key in ('what', 'date')) if run else ''
    return write_html(folder / 'index.html', title, subtitle, tiles(run or {}), sections)


def load_run(path: Path) -> Any:
    """Read the facts about the evaluated run; None if there is no such file.

    Raises:
        ValueError: The file does not hold them.
    """
    run = load_json(path)
    if run is None and not path.is_file():
        return None
    missing = [key for key in FACTS if key not in run] if isinstance(run, dict) else FACTS
    if missing:
        raise ValueError(f'{path} is damaged or of another version: it lacks {", ".join(missing)}')
    return run


def tiles(run: Mapping[str, Any]) -> list[Tile]:
    """Choose the best-known metrics, else the first four, and the data's size."""
    metrics = run.get('metrics', {})
    known = {key: name for key, name in HEADLINES.items() if key in metrics}
    chosen = known or {key: key for key in list(metrics)[:4]}
    found = [Tile(_headline(metrics[key]), name) for key, name in chosen.items()]
    if run:
        found += [
            Tile(str(run['images']), 'images'),
            Tile(str(len(run['classes'])), 'classes'),
        ]
    return found


def _headline(value: float) -> str:
    """Format shares with three decimals, percentages with one."""
    if value == UNKNOWN:
        return '–'
    return f'{value:.1f}' if abs(value) > 1 else f'{value:.3f}'


def _printable(value: Any) -> Any:
    """Escape the control characters of foreign names, which the template's own text has none of."""
    return escape_controls(value) if type(value) is str else value


def write_html(
    path: Path, title: str, subtitle: str, tiles: list[Tile], sections: list[Section]
) -> Path:
    """Write a page: one self-contained file.

    Returns:
        Its path.
    """
    environment = Environment(
        loader=PackageLoader('effnet_dense.report', 'templates'),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template('page.html').render(
        title=title, subtitle=subtitle, tiles=tiles, sections=sections, show=show
    )
    return write_output(path, page)
