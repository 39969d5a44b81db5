"""Reports in a folder: JSON, Markdown and a chart each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.acceptance import Result
from benchmarks.chart import draw, draw_targets
from benchmarks.report import Report
from benchmarks.table import acceptance_markdown, markdown


def write(report: Report, folder: Path, name: str) -> list[Path]:
    """Write `name`.json, .md and .png; the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f'{name}.{suffix}' for suffix in ('json', 'md', 'png')]
    paths[0].write_text(json.dumps(report.as_dict(), indent=2, ensure_ascii=False) + '\n')
    paths[1].write_text(markdown(report))
    draw(report, paths[2])
    return paths


def write_targets(results: Sequence[Result], reports: Sequence[Report], folder: Path) -> list[Path]:
    """Write acceptance.json, .md (all reports in it) and .png; the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f'acceptance.{suffix}' for suffix in ('json', 'md', 'png')]
    targets = [result.as_dict() for result in results]
    paths[0].write_text(json.dumps(targets, indent=2, ensure_ascii=False) + '\n')
    sections = [acceptance_markdown(results), *(markdown(report) for report in reports)]
    paths[1].write_text('\n'.join(sections))
    draw_targets(results, paths[2])
    return paths
