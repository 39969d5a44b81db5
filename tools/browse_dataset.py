"""Draw what training with a config sees: augmented images with boxes, masks and label maps.

python tools/browse_dataset.py configs/effnet_lite0_retinanet_finetune.py --data DIR
python tools/browse_dataset.py configs/effnet_lite0_bifpn_camvid.py --data DIR --epoch 3 --number 40

With the config's seed (`randomness.seed`) these are the images of its training, in order; without a
seed they are only an example. A contact sheet is written next to them.
"""

from __future__ import annotations

import argparse
import sys

from effnet_dense.data.folders import SPLITS
from effnet_dense.engine.browse import browse, draw_objects
from effnet_dense.engine.command import config_of, config_parser, output_folder, run, whole


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    arguments = config_parser(__doc__)
    arguments.add_argument(
        '--out', type=output_folder, metavar='DIR', help='default: browse/ in the work folder'
    )
    arguments.add_argument(
        '--number', type=whole(1), default=20, metavar='N', help='number of images'
    )
    arguments.add_argument(
        '--epoch', type=whole(0), default=0, metavar='E', help='epoch to draw, from 0'
    )
    arguments.add_argument('--split', choices=SPLITS, default='train')
    return arguments


def main(args: argparse.Namespace) -> None:
    """Draw what the arguments request."""
    config = config_of(args, splits=(args.split,))
    out = args.out or f'{config.work_dir}/browse'
    paths = browse(config, out, args.number, args.epoch, args.split)
    chart = draw_objects(config, out, args.split)
    print(f'{len(paths) - 1} images and {paths[-1]}' + (f', objects: {chart}' if chart else ''))


if __name__ == '__main__':
    sys.exit(run(main, parser()))
