"""Train a detector or segmentor; checkpoints and logs go to the work folder.

python tools/train.py configs/effnet_b3_retinanet_coco.py
python tools/train.py configs/effnet_lite0_retinanet_finetune.py --data my_folder
"""

from __future__ import annotations

import argparse
import sys

from effnet_dense.engine.command import config_of, config_parser, given_path, run
from effnet_dense.engine.jobs import train


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    arguments = config_parser(__doc__)
    arguments.add_argument('--amp', action='store_true', help='train in mixed precision')
    arguments.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        type=given_path,
        metavar='CHECKPOINT',
        help="resume from this checkpoint; without a name, or with 'auto', from the last one",
    )
    arguments.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help="scale the learning rate to this run's images per step",
    )
    return arguments


def main(args: argparse.Namespace) -> None:
    """Train as the arguments request."""
    train(config_of(args), args.amp, args.resume, args.auto_scale_lr)


if __name__ == '__main__':
    sys.exit(run(main, parser()))
