"""Evaluate a checkpoint on the test data, and draw its predictions.

python tools/test.py configs/effnet_b3_retinanet_coco.py epoch_12.pth --show-dir pictures
"""

from __future__ import annotations

import argparse
import sys

from effnet_dense.engine.command import config_of, config_parser, run
from effnet_dense.engine.jobs import test


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    arguments = config_parser(__doc__)
    arguments.add_argument(
        'checkpoint', help="file, URL or named source; other ecosystems' weights are recognised"
    )
    arguments.add_argument(
        '--show-dir', metavar='DIR', help='draw predictions beside ground truth into this folder'
    )
    arguments.add_argument(
        '--out', metavar='PATH', help='keep the predictions: .pkl (mmdet) or folder (mmseg)'
    )
    arguments.add_argument(
        '--deploy', action='store_true', help='fold norms into convolutions first: faster'
    )
    arguments.add_argument(
        '--tta',
        action='store_true',
        help="merge predictions on flipped and resized pictures, by the config's tta_model",
    )
    return arguments


def main(args: argparse.Namespace) -> None:
    """Evaluate what the command line describes."""
    config = config_of(args, splits=('val',))
    test(config, args.checkpoint, args.show_dir, args.out, args.deploy, args.tta)


if __name__ == '__main__':
    sys.exit(run(main, parser()))
