"""Compound scaling as a tool: the families' tables, a network for a budget, a search for α, β, γ.

python tools/scaling.py table --task detection --family b --latency
python tools/scaling.py suggest --mib 200 --lean 1 --task efficientdet
python tools/scaling.py search efficientdet_lite0_finetune --data demo --size 96 --steps 60
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from effnet_dense.analysis.scaling import networks, search_report, suggest, table
from effnet_dense.analysis.scaling.cost import network_gflops, network_latency, network_saved_mib
from effnet_dense.analysis.scaling.grid import candidates
from effnet_dense.analysis.scaling.search import Search, best_result
from effnet_dense.analysis.scaling.short_training import default_metric
from effnet_dense.analysis.settings import Settings
from effnet_dense.engine.command import config_of, config_parser, output_folder, positive, whole
from effnet_dense.lean import LEVELS
from effnet_dense.utils.console import print_table
from effnet_dense.utils.json_text import json_text
from effnet_dense.utils.markdown import markdown_table
from effnet_dense.utils.outputs import check_free, write_output
from effnet_dense.utils.progress import progress_bar

SIZE = whole(32, 1 << 14)
"""Reads sides of images: at least a backbone's largest stride."""


def parser() -> argparse.ArgumentParser:
    """Return the command line's arguments."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = arguments.add_subparsers(dest='command', required=True)
    _add_table(commands.add_parser('table', help="a family's costs and published accuracies"))
    _add_suggest(commands.add_parser('suggest', help='the largest network within a budget'))
    _add_search(commands.add_parser('search', parents=[config_parser(None)], add_help=False))
    return arguments


def _add_table(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add('--task', choices=networks.TASKS, default='classification')
    add('--family', choices=networks.FAMILY_NAMES, help='default: all')
    add('--lean', nargs='+', type=int, choices=LEVELS, default=list(LEVELS))
    add('--size', type=SIZE, metavar='PX', help="height and width; default: each network's own")
    add('--latency', action='store_true', help='time one image, deployed, channels-last')
    add('--out', type=output_folder, default=Path('work_dirs/scaling'), metavar='DIR')
    _add_conditions(command)


def _add_suggest(command: argparse.ArgumentParser) -> None:
    budget = command.add_mutually_exclusive_group(required=True)
    budget.add_argument('--gflops', type=positive, metavar='X', help='10⁹ multiply-adds per image')
    budget.add_argument(
        '--mib', type=positive, metavar='X', help='MiB that training saves per image'
    )
    budget.add_argument('--ms', type=positive, metavar='X', help='per image, deployed, here')
    add = command.add_argument
    add('--task', choices=suggest.TASKS, default='backbone')
    add('--lean', type=int, choices=LEVELS, default=1, help='for --mib')
    add('--size', type=SIZE, metavar='PX', help="height and width; default: each network's own")
    _add_conditions(command)


def _add_search(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add('--budget', type=positive, default=2.0, help='α·β²·γ², the factor of FLOPs per φ')
    add('--grid-step', type=positive, default=0.1, metavar='X', help='between values of α, β and γ')
    add('--tolerance', type=float, default=0.1, metavar='X', help='around the budget, relative')
    add(
        '--steps',
        type=whole(1),
        metavar='N',
        help="of each training; default: the config's schedule",
    )
    add('--size', type=SIZE, metavar='PX', help="longer side at φ = 0; default: the config's")
    add('--metric', help="the larger the better; default: the config's evaluator's")
    add('--resume', nargs='?', const='auto', choices=['auto'], help='resume in the work folder')


def _add_conditions(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add('--threads', type=whole(1), help="of PyTorch; default: PyTorch's own choice")
    add('--repeats', type=whole(1), default=5, help='of which the fastest counts')
    add('--device', default='cpu', help="where to time: 'cpu', 'cuda' or 'cuda:1'")
    add('--debug', action='store_true', help="show an error's traceback, not only its message")


def main(args: argparse.Namespace) -> None:
    """Run the command line's command."""
    {'table': _table, 'suggest': _suggest, 'search': _search}[args.command](args)


def _settings(args: argparse.Namespace) -> Settings:
    size = {} if args.size is None else {'size': args.size}
    settings = Settings(repeats=args.repeats, threads=args.threads, device=args.device, **size)
    settings.apply()
    return settings


def _table(args: argparse.Namespace) -> None:
    chosen = [n.at(args.size) for n in networks.published_networks(args.task, args.family)]
    settings = _settings(args)
    with progress_bar(transient=True) as progress:
        bar = progress.add_task(args.task, total=len(chosen))
        latency_settings = settings if args.latency else None
        rows = table.measure_rows(
            chosen, args.lean, latency_settings, partial(progress.advance, bar)
        )
    headings, lines = table.headings(rows), [table.cells(row) for row in rows]
    print_table(args.task, headings, lines)
    print(table.NOTES)
    name = '_'.join(filter(None, (args.task, args.family)))
    text = f'{_section(args.task, headings, lines)}\n{table.NOTES}\n'
    paths = _write(Path(args.out), name, [table.as_dict(row) for row in rows], text)
    print('Written:', ', '.join(map(str, paths)))


def _suggest(args: argparse.Namespace) -> None:
    budget, unit, cost = _budget(args, _settings(args))
    between = suggest.phi_within(cost, budget, args.task, args.size)
    published = suggest.published_within(cost, budget, args.task, args.size)
    if between is None:
        smallest = suggest.network_of_phi(0.0, args.task).at(args.size)
        raise ValueError(
            f'the smallest {args.task} at {smallest.size} px takes more than {budget:g} {unit}: '
            f'{cost(smallest):.4g}'
        )
    for title, found in (('published', published), ('in between', between)):
        if found is not None:
            print(f'# {title}: {found.network.name}, {found.cost:.4g} of {budget:g} {unit}')
            print(suggest.config_lines(found.network), end='\n\n')


def _budget(
    args: argparse.Namespace, settings: Settings
) -> tuple[float, str, suggest.CostFunction]:
    """Return the budget, its unit, and how a network's cost is measured in it."""
    if args.gflops is not None:
        return args.gflops, 'GFLOPs', network_gflops
    if args.mib is not None:
        unit = f'MiB saved per image at lean {args.lean}'
        return args.mib, unit, partial(network_saved_mib, lean=args.lean)
    unit = f'ms per image on {args.device}'
    return args.ms, unit, partial(network_latency, settings=settings)


def _search(args: argparse.Namespace) -> None:
    config, grid = config_of(args), candidates(args.budget, args.grid_step, args.tolerance)
    folder = Path(args.work_dir or f'work_dirs/scaling_{Path(args.config).stem}')
    check_free(folder / f'results.{suffix}' for suffix in ('json', 'md', 'png'))
    search = Search(config, folder, args.steps, args.size, args.metric)
    with progress_bar(transient=True) as progress:
        bar = progress.add_task('trainings', total=len(grid) + 1)
        results = search.run(grid, args.resume is not None, lambda _: progress.advance(bar))
    best = best_result(results).candidate
    metric = args.metric or default_metric(config)
    headings = [*search_report.HEADINGS, metric]
    lines = [search_report.result_cells(result) for result in results]
    print_table('Candidates', headings, lines)
    print(f'Best: α = {best.alpha:g}, β = {best.beta:g}, γ = {best.gamma:g}')
    if warning := search_report.chance_warning(results):
        print(warning)
    phis = search_report.phi_rows(search, best)
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
