"""Evaluate a checkpoint on the test data and draw its predictions.

python tools/test.py configs/effnet_b3_retinanet_coco.py epoch_12.pth --show-dir pictures
"""

from __future__ import annotations

import argparse
import sys

from effnet_dense.engine.command import (
    config_of,
    config_parser,
    given_path,
    output_file,
    output_folder,
    run,
)
from effnet_dense.engine.jobs import test


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    arguments = config_parser(__doc__)
    arguments.add_argument(
        'checkpoint',
        type=given_path,
        help='file, URL or named source, also in the formats of other ecosystems',
    )
    arguments.add_argument(
        '--show-dir',
        type=output_folder,
        metavar='DIR',
        help='folder for drawings of predictions beside the ground truth',
    )
    arguments.add_argument(
        '--out',
        type=output_file,
        metavar='PATH',
        help='save the predictions: .pkl file (mmdet) or folder (mmseg)',
    )
    arguments.add_argument(
        '--deploy', action='store_true', help='fold norms into convolutions first, which is faster'
    )
    arguments.add_argument(
        '--tta',
        action='store_true',
        help="merge predictions on flipped and resized images by the config's tta_model",
    )
    return arguments


def main(args: argparse.Namespace) -> None:
    """Evaluate as the arguments request."""
    config = config_of(args, splits=('val',))
    test(config, args.checkpoint, args.show_dir, args.out, args.deploy, args.tta)


if __name__ == '__main__':
    sys.exit(run(main, parser()))
