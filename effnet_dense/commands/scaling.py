"""Compare the families' networks, find one for a budget, search for α, β and γ.

Examples:
  effnet-dense scaling table --task detection --family b --latency
  effnet-dense scaling suggest --mib 200 --lean 1 --task efficientdet
  effnet-dense scaling search efficientdet_lite0_finetune --data demo --size 96 --steps 60
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from effnet_dense.commands.config_arguments import config_of, config_parser
from effnet_dense.commands.parsers import Parser, add_debug, command_parser
from effnet_dense.commands.readers import SIDE, output_folder, positive, whole
from effnet_dense.settings import LEAN_LEVELS

# Values of analysis.scaling, which imports torch.
TASKS = ('classification', 'detection', 'segmentation')
FAMILY_NAMES = ('b', 'lite', 'edgetpu', 'v2')
SUGGESTED = ('backbone', 'efficientdet')


def parser(prog: str | None = None) -> Parser:
    """Return the command line's arguments."""
    arguments = command_parser(__doc__, prog)
    commands = arguments.add_subparsers(dest='command', required=True, metavar='COMMAND')

    def add(name: str, text: str, **kwargs: Any) -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=text, formatter_class=arguments.formatter_class, **kwargs
        )

    _add_table(add('table', "a family's costs and published accuracies"))
    _add_suggest(add('suggest', 'the largest network within a budget'))
    text = 'α, β and γ for a budget and your data, by short trainings'
    _add_search(add('search', text, parents=[config_parser(None)], add_help=False))
    return arguments


def _add_table(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add('--task', choices=TASKS, default='classification')
    add('--family', choices=FAMILY_NAMES, help='default: all')
    add('--lean', nargs='+', type=int, choices=LEAN_LEVELS, default=list(LEAN_LEVELS))
    add('--size', type=SIDE, metavar='PX', help="height and width; default: each network's own")
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
    add('--task', choices=SUGGESTED, default='backbone')
    add('--lean', type=int, choices=LEAN_LEVELS, default=1, help='for --mib')
    add('--size', type=SIDE, metavar='PX', help="height and width; default: each network's own")
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
    add('--size', type=SIDE, metavar='PX', help="longer side at φ = 0; default: the config's")
    add('--metric', help="the larger the better; default: the config's evaluator's")
    add('--resume', nargs='?', const='auto', choices=['auto'], help='resume in the work folder')


def _add_conditions(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add('--threads', type=whole(1), help="of PyTorch; default: PyTorch's own choice")
    add('--repeats', type=whole(1), default=5, help='of which the fastest counts')
    add('--device', default='cpu', help="where to time: 'cpu', 'cuda' or 'cuda:1'")
    add_debug(command)


def main(args: argparse.Namespace) -> None:
    """Run the command line's command."""
    from effnet_dense.analysis.scaling import command

    if args.command == 'search':
        command.search(args, config_of(args))
    else:
        {'table': command.table, 'suggest': command.suggest}[args.command](args)
