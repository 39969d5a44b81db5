"""Export a trained detector or segmentor, or a backbone, to a file that other runtimes execute.

Examples:
  effnet-dense export work_dirs/effnet_lite0_retinanet_finetune
  effnet-dense export work_dirs/effnet_lite0_fpn_camvid --size 384 480 --out camvid.onnx
  effnet-dense export work_dirs/effnet_lite0_retinanet_finetune --format openvino
  effnet-dense export work_dirs/effnet_lite0_retinanet_finetune --multiple 32
  effnet-dense export work_dirs/effnet_lite0_retinanet_finetune --format executorch
  effnet-dense export b0 timm://tf_efficientnet_b0.aa_in1k --out classifier.onnx
  effnet-dense export b0 --post features --out backbone.onnx
  effnet-dense predict model.onnx street.jpg --out found
"""

from __future__ import annotations

import argparse
import shlex

from effnet_dense.commands.parsers import Parser, add_debug, command_parser
from effnet_dense.commands.readers import given_path, score, whole

FORMATS = ('onnx', 'openvino', 'litert', 'executorch', 'coreml', 'torch')
"""Those of exporting.formats, which imports a framework."""
PRECISIONS = ('fp32', 'fp16', 'int8', 'int8-weights')
"""As in exporting.precision and exporting.int8."""
WITHOUT_PREDICTIONS = ('decoded', 'raw')


def parser(prog: str | None = None) -> Parser:
    """Return the command line's parser."""
    arguments = command_parser(__doc__, prog)
    add = arguments.add_argument
    add(
        'config',
        type=given_path,
        help='work folder or checkpoint of a training; or a config file, or the name of one that '
        'the package ships, before a checkpoint; or a backbone such as b0, lite2 or v2_s, with its '
        'ImageNet weights if no checkpoint follows',
    )
    add('checkpoint', nargs='?', type=given_path, help='file, URL or named source')
    add(
        '--out',
        type=given_path,
        metavar='FILE',
        help='a new file with the suffix of the format, or a new folder for OpenVINO (default: '
        'model.onnx, model_openvino and so on, in the work folder, else here)',
    )
    add(
        '--format',
        choices=FORMATS,
        default='onnx',
        help='onnx (default), openvino, litert (.tflite), executorch (.pte), coreml (.mlpackage), '
        'or torch (.pt2, a program of torch.export)',
    )
    add(
        '--size',
        nargs=2,
        type=whole(1),
        metavar=('H', 'W'),
        help='height and width that the network takes, to which smaller images are padded; by '
        "default the test pipeline's",
    )
    add(
        '--multiple',
        type=whole(1),
        metavar='M',
        help='take every height and width that are multiples of M, instead of one size: of 32, '
        'for EfficientDet of 128. The default if the test pipeline gives images of different sizes',
    )
    add(
        '--batch',
        type=whole(1),
        metavar='N',
        help='images per pass; by default any number for onnx and openvino, one for the others',
    )
    add(
        '--post',
        choices=('nms', 'decoded', 'dense', 'raw', 'labels', 'features'),
        help='which outputs the file has. Detectors: nms (default of onnx and openvino), decoded '
        'candidates, dense boxes of all priors (default of the other formats), or raw outputs; '
        'segmentors: labels, or raw logits (default if the test pipeline resizes images); '
        'backbones: raw logits of the classifier (default), or features C3 to C5',
    )
    add(
        '--precision',
        choices=PRECISIONS,
        default='fp32',
        help='fp16 and int8-weights store weights in 16 or 8 bits; int8 also computes in 8 bits, '
        'but for decoding and suppression, and its accuracy is measured',
    )
    add(
        '--data',
        type=given_path,
        metavar='DIR',
        help='for int8, as `train` takes it: training images give the ranges, the others the '
        "accuracy; by default the config's own data",
    )
    add(
        '--max-drop',
        type=score,
        metavar='SHARE',
        help='largest loss of AP or mIoU by int8, relative to float32 (0.01 by default); else the '
        'layers that change the outputs most stay in float32, at most half of them',
    )
    for name in ('mean', 'std'):
        add(
            f'--{name}',
            nargs='+',
            type=float,
            metavar='V',
            help=f"{name} of a backbone's images, 0 to 255, in the order R G B; by default what "
            'its named weights are known to need',
        )
    add_debug(arguments)
    return arguments


def main(args: argparse.Namespace) -> None:
    """Export as the arguments request."""
    from pathlib import Path

    from effnet_dense.engine.config import check_source
    from effnet_dense.exporting import export
    from effnet_dense.exporting.bare_network import is_name
    from effnet_dense.exporting.formats import OUT

    network = is_name(args.config)
    if not network:
        check_source(args.config)
    folder = Path(args.config) if Path(args.config).is_dir() else Path()
    out = args.out or folder / OUT[args.format]
    names = ('batch', 'post', 'format', 'precision', 'data', 'max_drop', 'multiple', 'mean', 'std')
    options = {name: getattr(args, name) for name in names}
    size = tuple(args.size) if args.size else None
    path = export(args.config, args.checkpoint, out, size=size, **options)
    if not network and args.post not in WITHOUT_PREDICTIONS:
        print(f'predict: effnet-dense predict {shlex.quote(str(path))} IMAGE')
