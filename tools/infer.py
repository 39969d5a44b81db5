"""Predict on images, folders and videos: pictures, and JSON files in COCO's formats.

python tools/infer.py effnet_lite0_mask_rcnn_finetune epoch_15.pth street.jpg folder/ --out found
"""

from __future__ import annotations

import argparse
import sys

from effnet_dense.engine.command import Options, run
from effnet_dense.engine.config import load_config
from effnet_dense.inference import Predictor, infer


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = arguments.add_argument
    add('config', help='config file, or the name of one that the package ships')
    add('checkpoint', help="file, URL or named source; other ecosystems' weights are recognised")
    add('sources', nargs='+', metavar='IMAGE|FOLDER|VIDEO', help='what to predict on')
    add('--out', required=True, metavar='DIR', help='for pictures and JSON files')
    add('--score-thr', type=float, default=0.3, metavar='S', help='draw from this score on')
    add('--batch-size', type=int, default=1, metavar='N', help='images or frames a pass')
    add('--ann-file', metavar='JSON', help="take image and category ids from this file of COCO's")
    add('--device', help="such as cpu or cuda:1; by default a GPU's where there is one")
    add('--deploy', action='store_true', help='fold norms into convolutions first: faster')
    add('--channels-last', action='store_true', help='memory format that is mostly faster')
    add('--cfg-options', nargs='+', action=Options, metavar='KEY=VALUE', help='change the config')
    add('--debug', action='store_true', help="show an error's traceback, not its message alone")
    return arguments


def main(args: argparse.Namespace) -> None:
    """Predict on what the command line names.

    Raises:
        ValueError: files could not be read; the others' results are written.
    """
    config = load_config(args.config, options=args.cfg_options)
    predictor = Predictor(config, args.checkpoint, args.device, args.deploy, args.channels_last)
    skipped = infer(
        predictor, args.sources, args.out, args.score_thr, args.batch_size, args.ann_file
    )
    if skipped:
        raise ValueError(f'{len(skipped)} files skipped, the other results are in {args.out}')


if __name__ == '__main__':
    sys.exit(run(main, parser()))
