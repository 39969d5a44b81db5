"""The arguments of every command that runs a config, and the config that they describe."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from effnet_dense.commands.key_values import Options
from effnet_dense.commands.parsers import Parser, add_debug, command_parser
from effnet_dense.commands.readers import given_path, output_folder
from effnet_dense.settings import Settings

if TYPE_CHECKING:
    from mmengine.config import Config

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')
# Values of data.splitting, data.skipping and data.folders, which import numpy.
VAL_SHARE = 0.2
SKIPPED_SHARE = 0.05
SPLITS = ('train', 'val')


def config_parser(doc: str | None, prog: str | None = None, optional: bool = False) -> Parser:
    """Return a parser with the arguments of every command that runs a config.

    Args:
        doc: See `command_parser`.
        prog: The same.
        optional: Whether the config may be left out.
    """
    parser = command_parser(doc, prog)
    add = parser.add_argument
    add(
        'config',
        nargs='?' if optional else None,
        type=given_path,
        help='config file, the name of a config that the package ships, or the work folder or a '
        'checkpoint of a training, whose own config, data and options are taken',
    )
    add_data(parser)
    add(
        '--work-dir',
        type=output_folder,
        metavar='DIR',
        help='for checkpoints and logs (default: work_dirs/<config>)',
    )
    add_options(parser)
    add(
        '--channels-last',
        action='store_true',
        help='keep weights and features in channels-last memory format, usually faster',
    )
    add('--launcher', choices=LAUNCHERS, default='none', help='what starts the processes')
    # Added by torch.distributed.launch, which mim runs; torch itself reads the environment.
    add('--local_rank', '--local-rank', type=int, help=argparse.SUPPRESS)
    add_debug(parser)
    return parser


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add `--data` and how it is divided and checked."""
    add = parser.add_argument
    add(
        '--data',
        type=given_path,
        metavar='DIR',
        help='folder or ZIP file as annotation tools export it, or of images and label maps, or '
        "'demo'; its classes and files replace the config's",
    )
    add(
        '--val-share',
        type=float,
        default=VAL_SHARE,
        metavar='SHARE',
        help=f'share of the images of --data that are evaluated, where it has no val split '
        f'({VAL_SHARE} by default)',
    )
    add(
        '--split-seed',
        type=int,
        default=0,
        metavar='N',
        help='seed by which --data without a val split is divided; the same in training and tests',
    )
    add(
        '--skip-bad',
        nargs='?',
        type=float,
        const=SKIPPED_SHARE,
        metavar='SHARE',
        help='skip broken images, and broken annotations of --data, up to this share of them '
        f'({SKIPPED_SHARE} without a value), and list them in the work folder',
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add `--cfg-options`."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=Options,
        metavar='KEY=VALUE',
        help='change any key of the config, after all other flags: '
        'train_dataloader.batch_size=2 model.backbone.init_cfg=None '
        '"optim_wrapper.optimizer=dict(type=SGD, lr=0.01)"',
    )


def config_of(
    args: argparse.Namespace,
    splits: Sequence[str] = SPLITS,
    settings: Settings | None = None,
    new: bool = False,
) -> Config:
    """Load the config that `config_parser`'s arguments describe.

    Args:
        args: Parsed arguments.
        splits: The splits of `--data` that are needed.
        settings: What other flags set.
        new: Refuse a work folder that holds a training.
    """
    from effnet_dense.data.parts import Division
    from effnet_dense.engine.config import load_config
    from effnet_dense.engine.console import quieten_current

    if not args.debug:
        quieten_current()
    config = load_config(
        args.config,
        data=args.data,
        options=args.cfg_options,
        work_dir=args.work_dir,
        launcher=args.launcher,
        splits=splits,
        skip_bad=args.skip_bad,
        division=Division(args.val_share, args.split_seed),
        settings=settings,
        new=new,
    )
    if args.channels_last:
        config.channels_last = True
    if args.debug:
        config.log_level = 'DEBUG'
    return config
