"""Evaluate a checkpoint or an exported file on the test data and draw its predictions.

Examples:
  effnet-dense test work_dirs/effnet_lite0_retinanet_finetune
  effnet-dense test effnet_b3_retinanet_coco epoch_12.pth --show-dir pictures
  effnet-dense test effnet_lite0_retinanet_finetune epoch_15.pth --data DIR --tta
  effnet-dense test model.onnx --data DIR
"""

from __future__ import annotations

import argparse

from effnet_dense.commands.config_arguments import config_of, config_parser
from effnet_dense.commands.parsers import Parser
from effnet_dense.commands.readers import given_path, output_file, output_folder, whole
from effnet_dense.commands.setting_arguments import TEST, add_settings, settings_of

BATCH_SIZE = 'test_dataloader.batch_size'


def parser(prog: str | None = None) -> Parser:
    """Return the command line's parser."""
    arguments = config_parser(__doc__, prog)
    add = arguments.add_argument
    add(
        'checkpoint',
        nargs='?',
        type=given_path,
        help='file, URL or named source, also in the formats of other ecosystems; by default the '
        'best one of the work folder that is given as config. Or a file of `effnet-dense export`, '
        'which may also stand alone: in the work folder of its training, or with --data',
    )
    add(
        '--show-dir',
        type=output_folder,
        metavar='DIR',
        help='folder for drawings of predictions beside the ground truth',
    )
    add(
        '--out',
        type=output_file,
        metavar='PATH',
        help='save the predictions: .pkl file (mmdet) or folder (mmseg)',
    )
    add(
        '--batch-size',
        type=whole(1),
        metavar='N',
        help="images per step and device; default: the config's",
    )
    add('--deploy', action='store_true', help='fold norms into convolutions first, which is faster')
    add(
        '--tta',
        action='store_true',
        help="merge predictions on flipped and resized images, by the config's tta_pipeline and "
        'tta_model; a detector without them: the image and its mirror image at three sizes, merged '
        "by the model's own NMS",
    )
    add(
        '--tta-merge',
        choices=('nms', 'wbf'),
        help='turn on --tta, and merge boxes by NMS or by weighted boxes fusion',
    )
    add('--cuda-graphs', action='store_true', help='faster on a GPU, for images of one size')
    add_settings(arguments, TEST)
    return arguments


def main(args: argparse.Namespace) -> None:
    """Evaluate as the arguments request."""
    from effnet_dense.engine.config import check_source
    from effnet_dense.engine.jobs import check_test_graphs, test
    from effnet_dense.engine.run_folder import default_checkpoint
    from effnet_dense.inference.exported_testing import evaluate_exported, given_file

    tta = args.tta_merge or args.tta
    outputs = (args.show_dir, args.out, args.deploy, tta, args.cuda_graphs)
    if args.batch_size:
        args.cfg_options = {BATCH_SIZE: args.batch_size, **(args.cfg_options or {})}
    file, args.config = given_file(args.config, args.checkpoint, args.data)
    if file is not None:
        config = config_of(args, splits=('val',), settings=settings_of(args, TEST))
        evaluate_exported(config, file, *outputs)
        return
    check_source(args.config)
    checkpoint = args.checkpoint or default_checkpoint(args.config)
    if args.cuda_graphs:  # before data are made
        check_test_graphs(args.device, bool(tta))
    config = config_of(args, splits=('val',), settings=settings_of(args, TEST))
    test(config, checkpoint, *outputs)
