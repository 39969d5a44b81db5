"""Choose network, image size and schedule for your data, this machine and your time.

It looks at the data, measures a few networks here for a minute or more, prints the candidates and
why one of them was chosen, and writes a config that `effnet-dense train` runs.

Examples:
  effnet-dense plan DIR --minutes 30
  effnet-dense plan DIR --minutes 480 --gib 11 --task detection --out configs/mine.py
  effnet-dense plan DIR --latency-ms 50 --on cpu
  effnet-dense plan demo --minutes 10
"""

from __future__ import annotations

import argparse

from effnet_dense.commands.parsers import Parser, add_debug, command_parser
from effnet_dense.commands.readers import given_path, positive

# Values of analysis.plan and data, which import torch.
TASKS = ('detection', 'instances', 'semantic')
MINUTES = 60.0
VAL_SHARE = 0.2


def parser(prog: str | None = None) -> Parser:
    """Return the command line's arguments."""
    arguments = command_parser(__doc__, prog)
    add = arguments.add_argument
    add('data', type=given_path, metavar='DIR', help="dataset as for `train --data`, or 'demo'")
    add(
        '--minutes',
        type=positive,
        default=MINUTES,
        metavar='M',
        help=f'time for training on this machine ({MINUTES:g})',
    )
    add('--gib', type=positive, metavar='G', help='memory for training (all that is free)')
    add('--latency-ms', type=positive, metavar='L', help='time for one image at inference')
    add(
        '--on',
        metavar='DEVICE',
        help="where --latency-ms is measured: 'this' (where training runs), 'cpu' or 'cuda'",
    )
    add('--task', choices=TASKS, help='by default what the annotations allow')
    add('--out', type=given_path, metavar='FILE.py', help='the config, a new file (plan_DIR.py)')
    add('--val-share', type=float, default=VAL_SHARE, metavar='SHARE', help='as in `train`')
    add('--split-seed', type=int, default=0, metavar='N', help='as in `train`')
    add_debug(arguments)
    return arguments


def main(args: argparse.Namespace) -> None:
    """Plan a training."""
    from effnet_dense.analysis.plan.command import plan_training

    plan_training(args)
