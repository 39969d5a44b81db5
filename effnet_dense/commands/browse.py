"""Draw what training with a config sees: augmented images with boxes, masks and label maps.

With the config's seed (`randomness.seed`) these are the images of its training, in order; without a
seed they are only an example. A contact sheet is written next to them.

Examples:
  effnet-dense browse effnet_lite0_retinanet_finetune --data DIR
  effnet-dense browse effnet_lite0_bifpn_camvid --data DIR --epoch 3 --number 40
"""

from __future__ import annotations

import argparse

from effnet_dense.commands.config_arguments import SPLITS, config_of, config_parser
from effnet_dense.commands.parsers import Parser
from effnet_dense.commands.readers import output_folder, whole
from effnet_dense.commands.setting_arguments import BROWSE, add_settings, settings_of
from effnet_dense.utils.counted import counted


def parser(prog: str | None = None) -> Parser:
    """Return the command line's parser."""
    arguments = config_parser(__doc__, prog)
    add = arguments.add_argument
    add('--out', type=output_folder, metavar='DIR', help='default: browse/ in the work folder')
    add('--number', type=whole(1), default=20, metavar='N', help='number of images')
    add('--epoch', type=whole(0), default=0, metavar='E', help='epoch to draw, from 0')
    add('--split', choices=SPLITS, default='train', help='part of the data to draw')
    add_settings(arguments, BROWSE)
    return arguments


def main(args: argparse.Namespace) -> None:
    """Draw what the arguments request."""
    from effnet_dense.engine.browse import browse, draw_objects
    from effnet_dense.engine.quiet import quiet_libraries

    config = config_of(args, splits=(args.split,), settings=settings_of(args, BROWSE))
    out = args.out or f'{config.work_dir}/browse'
    with quiet_libraries():
        paths = browse(config, out, args.number, args.epoch, args.split)
        chart = draw_objects(config, out, args.split)
    print(
        f'{counted(len(paths) - 1, "image")} and {paths[-1]}'
        + (f', objects: {chart}' if chart else '')
    )
