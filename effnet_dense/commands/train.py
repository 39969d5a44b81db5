"""Train a detector or segmentor; checkpoints and logs go to the work folder.

A flag that sets something, such as --epochs, changes all places of the config that belong together;
--cfg-options changes single keys and comes last.

Examples:
  effnet-dense train effnet_lite0_retinanet_finetune --data demo --epochs 2
  effnet-dense train effnet_lite0_retinanet_finetune --data DIR --image-size 512 --batch-size auto
  effnet-dense train effnet_lite0_bifpn_camvid --data DIR --patience 3 --tensorboard
  effnet-dense train effnet_b3_retinanet_coco --work-dir work_dirs/b3 --resume
  effnet-dense train --resume work_dirs/effnet_lite0_retinanet_finetune
"""

from __future__ import annotations

import argparse
from pathlib import Path

from effnet_dense.commands.config_arguments import config_of, config_parser
from effnet_dense.commands.parsers import Parser
from effnet_dense.commands.readers import given_path
from effnet_dense.commands.setting_arguments import ALL, add_settings, settings_of


def parser(prog: str | None = None) -> Parser:
    """Return the command line's parser."""
    arguments = config_parser(__doc__, prog, optional=True)
    add = arguments.add_argument
    add('--amp', action='store_true', help='train in mixed precision')
    add(
        '--resume',
        nargs='?',
        const='auto',
        type=given_path,
        metavar='RUN',
        help="resume this work folder or checkpoint; without a name, or with 'auto', the last "
        'checkpoint of the work folder',
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
    resume = use_run(args)
    from effnet_dense.engine.jobs import train

    config = config_of(args, settings=settings, new=resume is None)
    train(config, args.amp, resume, args.auto_scale_lr)


def use_run(args: argparse.Namespace) -> str | None:
    """Return the checkpoint to resume from, 'auto', or None; `--resume RUN` alone has its config.

    Args:
        args: Its `config` is set if `--resume` names a run.

    Raises:
        ValueError: There is neither a config nor a run.
    """
    from effnet_dense.engine.run_folder import checkpoint_of, is_run

    named = args.resume if args.resume not in (None, 'auto') else None
    if args.config is None:
        if named is None or not is_run(named):
            raise ValueError(
                'expected a config (a file, or the name of one that the package ships), or '
                f'--resume with the work folder of a training, got {args.resume or "neither"}'
            )
        args.config = named
    if named is not None and Path(named).is_dir():
        return str(checkpoint_of(named, resume=True))
    return None if args.resume is None else str(args.resume)
