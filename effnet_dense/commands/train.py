"""Train a detector or segmentor; checkpoints and logs go to the work folder.

A flag that sets something, such as --epochs, changes all places of the config that belong together;
--cfg-options changes single keys and comes last.

Examples:
  effnet-dense train effnet_lite0_retinanet_finetune --data demo --epochs 2
  effnet-dense train effnet_lite0_retinanet_finetune --data DIR --image-size 512 --batch-size auto
  effnet-dense train effnet_lite0_bifpn_camvid --data DIR --patience 3 --tensorboard
  effnet-dense train effnet_b3_retinanet_coco --work-dir work_dirs/b3 --resume
"""

from __future__ import annotations

import argparse

from effnet_dense.commands.config_arguments import config_of, config_parser
from effnet_dense.commands.parsers import Parser
from effnet_dense.commands.readers import given_path
from effnet_dense.commands.setting_arguments import ALL, add_settings, settings_of


def parser(prog: str | None = None) -> Parser:
    """Return the command line's parser."""
    arguments = config_parser(__doc__, prog)
    add = arguments.add_argument
    add('--amp', action='store_true', help='train in mixed precision')
    add(
        '--resume',
        nargs='?',
        const='auto',
        type=given_path,
        metavar='CHECKPOINT',
        help="resume from this checkpoint; without a name, or with 'auto', from the last one",
    )
    add(
        '--auto-scale-lr',
        action='store_true',
        help="scale the learning rate to this run's images per step",
    )
    add_settings(arguments, ALL)
    return arguments


def main(args: argparse.Namespace) -> None:
    """Train as the arguments request."""
    if args.amp and args.precision:
        raise ValueError(
            f'--amp chooses a precision itself, expected it without --precision {args.precision}'
        )
    settings = settings_of(args, ALL)
    from effnet_dense.engine.jobs import train

    train(config_of(args, settings=settings), args.amp, args.resume, args.auto_scale_lr)
