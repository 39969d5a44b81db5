"""Write comparisons into a folder: JSON, Markdown and a figure each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.acceptance import Result
from benchmarks.chart import draw_comparison, draw_targets
from benchmarks.comparison import Comparison
from benchmarks.tables import comparison_section, targets_section
from effnet_dense.utils.atomic import atomic_write
from effnet_dense.utils.json_text import json_text
from effnet_dense.utils.outputs import claim


def write_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Write JSON, Markdown and PNG, named after the title; return the paths."""
    name = comparison.title.replace(' ', '_')
    paths = _write(folder, name, comparison.as_dict(), comparison_section(comparison))
    draw_comparison(comparison, paths[2])
    return paths


def write_targets(results: list[Result], comparisons: list[Comparison], folder: Path) -> list[Path]:
    """Write acceptance.json, .md (with all comparisons) and .png; return the paths."""
    sections = [targets_section(results), *map(comparison_section, comparisons)]
    targets = [result.as_dict() for result in results]
    paths = _write(folder, 'acceptance', targets, '\n'.join(sections))
    draw_targets(results, paths[2])
    return paths


def _write(folder: Path, name: str, content: Any, text: str) -> list[Path]:
    """Write JSON and Markdown; return their paths, and that of the figure to draw."""
    paths = [claim(folder / f'{name}.{suffix}') for suffix in ('json', 'md', 'png')]
    atomic_write(paths[0], json_text(content, 2) + '\n')
    atomic_write(paths[1], text)
    return paths
