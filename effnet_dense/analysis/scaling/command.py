"""Print and write what a command line requests: a table, a suggestion, a search."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.config import Config

from effnet_dense.analysis.scaling import networks, search_report
from effnet_dense.analysis.scaling import suggest as suggestions
from effnet_dense.analysis.scaling import table as tables
from effnet_dense.analysis.scaling.cost import network_gflops, network_latency, network_saved_mib
from effnet_dense.analysis.scaling.grid import candidates
from effnet_dense.analysis.scaling.search import Search, best_result
from effnet_dense.analysis.scaling.short_training import default_metric
from effnet_dense.analysis.settings import Settings
from effnet_dense.utils.console import print_table
from effnet_dense.utils.json_text import json_text
from effnet_dense.utils.markdown import markdown_table
from effnet_dense.utils.outputs import check_free, write_output
from effnet_dense.utils.progress import progress_bar


def _settings(args: argparse.Namespace) -> Settings:
    size = {} if args.size is None else {'size': args.size}
    settings = Settings(repeats=args.repeats, threads=args.threads, device=args.device, **size)
    settings.apply()
    return settings


def table(args: argparse.Namespace) -> None:
    """Print and write the table of a task."""
    chosen = [n.at(args.size) for n in networks.published_networks(args.task, args.family)]
    settings = _settings(args)
    with progress_bar(transient=True) as progress:
        bar = progress.add_task(args.task, total=len(chosen))
        latency_settings = settings if args.latency else None
        rows = tables.measure_rows(
            chosen, args.lean, latency_settings, partial(progress.advance, bar)
        )
    headings, lines = tables.headings(rows), [tables.cells(row) for row in rows]
    print_table(args.task, headings, lines)
    print(tables.NOTES)
    name = '_'.join(filter(None, (args.task, args.family)))
    text = f'{_section(args.task, headings, lines)}\n{tables.NOTES}\n'
    paths = _write(Path(args.out), name, [tables.as_dict(row) for row in rows], text)
    print('Written:', ', '.join(map(str, paths)))


def suggest(args: argparse.Namespace) -> None:
    """Print the largest networks within a budget."""
    budget, unit, cost = _budget(args, _settings(args))
    between = suggestions.phi_within(cost, budget, args.task, args.size)
    published = suggestions.published_within(cost, budget, args.task, args.size)
    if between is None:
        smallest = suggestions.network_of_phi(0.0, args.task).at(args.size)
        raise ValueError(
            f'the smallest {args.task} at {smallest.size} px takes more than {budget:g} {unit}: '
            f'{cost(smallest):.4g}'
        )
    for title, found in (('published', published), ('in between', between)):
        if found is not None:
            print(f'# {title}: {found.network.name}, {found.cost:.4g} of {budget:g} {unit}')
            print(suggestions.config_lines(found.network), end='\n\n')


def _budget(
    args: argparse.Namespace, settings: Settings
) -> tuple[float, str, suggestions.CostFunction]:
    """Return the budget, its unit, and how a network's cost is measured in it."""
    if args.gflops is not None:
        return args.gflops, 'GFLOPs', network_gflops
    if args.mib is not None:
        unit = f'MiB saved per image at lean {args.lean}'
        return args.mib, unit, partial(network_saved_mib, lean=args.lean)
    unit = f'ms per image on {args.device}'
    return args.ms, unit, partial(network_latency, settings=settings)


def search(args: argparse.Namespace, config: Config) -> None:
    """Search for α, β and γ by training, and write the results."""
    grid = candidates(args.budget, args.grid_step, args.tolerance)
    folder = Path(args.work_dir or f'work_dirs/scaling_{Path(args.config).stem}')
    check_free(folder / f'results.{suffix}' for suffix in ('json', 'md', 'png'))
    trainings = Search(config, folder, args.steps, args.size, args.metric)
    with progress_bar(transient=True) as progress:
        bar = progress.add_task('trainings', total=len(grid) + 1)
        results = trainings.run(grid, args.resume is not None, lambda _: progress.advance(bar))
    best = best_result(results).candidate
    metric = args.metric or default_metric(config)
    headings = [*search_report.HEADINGS, metric]
    lines = [search_report.result_cells(result) for result in results]
    print_table('Candidates', headings, lines)
    print(f'Best: α = {best.alpha:g}, β = {best.beta:g}, γ = {best.gamma:g}')
    if warning := search_report.chance_warning(results):
        print(warning)
    phis = search_report.phi_rows(trainings, best)
    phi_lines = [search_report.phi_cells(row) for row in phis]
    print_table('Networks', search_report.PHI_HEADINGS, phi_lines)
    text = _section('Candidates', headings, lines)
    text += '\n' + _section('Networks', search_report.PHI_HEADINGS, phi_lines)
    content = search_report.as_dict(results, metric, phis)
    paths = _write(folder, 'results', content, text)
    search_report.draw(results, metric, folder / 'results.png')
    print('Written:', ', '.join(map(str, [*paths, folder / 'results.png'])))


def _section(title: str, headings: Any, lines: list[list[str]]) -> str:
    return f'## {title}\n\n{markdown_table(headings, lines)}\n'


def _write(folder: Path, name: str, content: Any, text: str) -> list[Path]:
    """Write `name`.json and .md; return the paths."""
    texts = {'json': json_text(content, 2) + '\n', 'md': text}
    paths = [folder / f'{name}.{suffix}' for suffix in texts]
    check_free(paths)
    return [write_output(path, text) for path, text in zip(paths, texts.values(), strict=True)]
