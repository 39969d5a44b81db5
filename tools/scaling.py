"""Compound scaling as a tool: the families' tables, a network for a budget, a search for α, β, γ.

python tools/scaling.py table --task detection --family b --latency
python tools/scaling.py suggest --mib 200 --lean 1 --task efficientdet
python tools/scaling.py search efficientdet_lite0_finetune --data demo --size 96 --steps 60
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from effnet_dense.analysis.scaling import findings, networks, output, suggest, table
from effnet_dense.analysis.scaling.grid import candidates
from effnet_dense.analysis.scaling.search import Search, best
from effnet_dense.analysis.scaling.short import metric_of
from effnet_dense.analysis.scaling.sizes import count_gflops, count_saved, milliseconds
from effnet_dense.analysis.settings import Settings
from effnet_dense.engine.command import config_of, config_parser, run
from effnet_dense.lean import LEVELS


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = arguments.add_subparsers(dest='command', required=True)
    _add_table(commands.add_parser('table', help="a family's sizes and published accuracies"))
    _add_suggest(commands.add_parser('suggest', help='the largest network within a budget'))
    search = config_parser(None)
    _add_search(commands.add_parser('search', parents=[search], add_help=False))
    return arguments


def _add_search(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add('--budget', type=float, default=2.0, help='α·β²·γ², by which FLOPs grow per φ')
    add('--grid-step', type=float, default=0.1, metavar='X', help='between values of α, β and γ')
    add('--tolerance', type=float, default=0.1, metavar='X', help='around the budget, relative')
    add('--steps', type=int, metavar='N', help="of each training; default: the config's schedule")
    add('--size', type=int, metavar='PX', help="longer side at φ = 0; default: the config's")
    add('--metric', help="the larger the better; default: the config's evaluator's")
    add('--resume', nargs='?', const='auto', choices=['auto'], help='go on in the work folder')


def _add_table(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add('--task', choices=networks.TASKS, default='classification')
    add('--family', choices=networks.FAMILY_NAMES, help='default: all')
    add('--lean', nargs='+', type=int, choices=LEVELS, default=list(LEVELS))
    add('--size', type=int, metavar='PX', help="height and width; default: each network's own")
    add('--latency', action='store_true', help='time one picture, deployed, channels-last')
    add('--out', type=Path, default=Path('work_dirs/scaling'), metavar='DIR')
    _add_conditions(command)


def _add_suggest(command: argparse.ArgumentParser) -> None:
    budget = command.add_mutually_exclusive_group(required=True)
    budget.add_argument('--gflops', type=float, metavar='X', help='10⁹ multiply-adds a picture')
    budget.add_argument('--mib', type=float, metavar='X', help='MiB that training saves an image')
    budget.add_argument('--ms', type=float, metavar='X', help='of one picture, deployed, here')
    add = command.add_argument
    add('--task', choices=suggest.TASKS, default='backbone')
    add('--lean', type=int, choices=LEVELS, default=1, help='for --mib')
    add('--size', type=int, metavar='PX', help="height and width; default: each network's own")
    _add_conditions(command)


def _add_conditions(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add('--threads', type=int, help="of PyTorch; default: PyTorch's own choice")
    add('--repeats', type=int, default=5, help='of which the fastest counts')
    add('--device', default='cpu', help="where to time: 'cpu', 'cuda' or 'cuda:1'")
    add('--debug', action='store_true', help="show an error's traceback, not its message alone")


def main(args: argparse.Namespace) -> None:
    """Do what the command line says."""
    {'table': _table, 'suggest': _suggest, 'search': _search}[args.command](args)


def _settings(args: argparse.Namespace) -> Settings:
    size = {} if args.size is None else {'size': args.size}
    settings = Settings(repeats=args.repeats, threads=args.threads, device=args.device, **size)
    settings.apply()
    return settings


def _table(args: argparse.Namespace) -> None:
    chosen = [n.at(args.size) for n in networks.published_networks(args.task, args.family)]
    settings = _settings(args)
    with output.progress() as progress:
        bar = progress.add_task(args.task, total=len(chosen))
        timed = settings if args.latency else None
        rows = table.rows(chosen, args.lean, timed, lambda: progress.advance(bar))
    headings, lines = table.columns(rows), [table.cells(row) for row in rows]
    output.print_table(args.task, headings, lines)
    print(table.NOTES)
    name = '_'.join(filter(None, (args.task, args.family)))
    text = f'{output.markdown(args.task, headings, lines)}\n{table.NOTES}\n'
    paths = output.write(args.out, name, [table.as_dict(row) for row in rows], text)
    print('Written:', ', '.join(map(str, paths)))


def _suggest(args: argparse.Namespace) -> None:
    settings = _settings(args)
    if args.gflops is not None:
        budget, unit, cost = args.gflops, 'GFLOPs', count_gflops
    elif args.mib is not None:
        budget, unit = args.mib, f'MiB saved an image at lean {args.lean}'

        def cost(network: networks.Network) -> float:
            return count_saved(network, args.lean)
    else:
        budget, unit = args.ms, f'ms of one picture on {args.device}'

        def cost(network: networks.Network) -> float:
            return milliseconds(network, settings)

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


def _search(args: argparse.Namespace) -> None:
    config, grid = config_of(args), candidates(args.budget, args.grid_step, args.tolerance)
    folder = Path(args.work_dir or f'work_dirs/scaling_{Path(args.config).stem}')
    search = Search(config, folder, args.steps, args.size, args.metric)
    with output.progress() as progress:
        bar = progress.add_task('trainings', total=len(grid) + 1)
        results = search.run(grid, args.resume is not None, lambda _: progress.advance(bar))
    found = best(results).candidate
    metric = args.metric or metric_of(config)
    headings, lines = [*findings.HEADINGS, metric], [findings.cells(r) for r in results]
    output.print_table('Candidates', headings, lines)
    print(f'Best: α = {found.alpha:g}, β = {found.beta:g}, γ = {found.gamma:g}')
    if doubt := findings.doubt(results):
        print(doubt)
    phis = findings.phi_rows(search, found)
    rows = [findings.phi_cells(row) for row in phis]
    output.print_table('Networks', findings.PHI_HEADINGS, rows)
    tables = [('Candidates', headings, lines), ('Networks', findings.PHI_HEADINGS, rows)]
    text = '\n'.join(output.markdown(*parts) for parts in tables)
    paths = output.write(folder, 'results', findings.as_dict(results, metric, phis), text)
    findings.draw(results, metric, folder / 'results.png')
    print('Written:', ', '.join(map(str, [*paths, folder / 'results.png'])))


if __name__ == '__main__':
    sys.exit(run(main, parser()))
