"""Predict the peak memory of training a config on a GPU, without one, or on a CPU.

Examples:
  effnet-dense memory effnet_lite0_retinanet_finetune --batch-size 16 --size 512
  effnet-dense memory efficientdet_d0_coco --batch-size 4 --lean 0 1 2
  effnet-dense memory effnet_b3_retinanet_coco --precision bf16 --gib 24
"""

from __future__ import annotations

import argparse

from effnet_dense.commands.config_arguments import add_options
from effnet_dense.commands.parsers import Parser, add_debug, command_parser
from effnet_dense.commands.readers import given_path, output_file

# Values of analysis.memory, which imports torch.
OBJECTS = 8
RESERVE = 1.0


def parser(prog: str | None = None) -> Parser:
    """Return the command line's arguments."""
    arguments = command_parser(__doc__, prog)
    add = arguments.add_argument
    add(
        'configs',
        nargs='+',
        type=given_path,
        metavar='CONFIG',
        help='config files, or names of shipped ones',
    )
    add('--batch-size', type=int, metavar='N', help="images per step; default: the config's")
    add('--size', type=int, nargs='+', metavar='PX', help="side, or height and width; the config's")
    add('--precision', nargs='+', default=[None], metavar='P', help='fp32, bf16, fp16')
    add('--lean', type=int, nargs='+', default=[None], metavar='L', help='0, 1, 2')
    add('--device', choices=('cuda', 'cpu'), default='cuda', help='of the training (%(default)s)')
    add('--objects', type=int, default=OBJECTS, metavar='N', help='per image, for detectors')
    add('--gib', type=float, metavar='N', help='find the largest batch for a GPU of N GiB')
    add('--reserve', type=float, default=RESERVE, metavar='N', help='GiB left for CUDA and cuDNN')
    add('--json', type=output_file, metavar='FILE', help='write the figures, in bytes')
    add('--markdown', action='store_true', help='one row per config, one column per setup')
    add_options(arguments)
    add_debug(arguments)
    return arguments


def main(args: argparse.Namespace) -> None:
    """Predict the peaks that the command line requests."""
    from effnet_dense.analysis.memory.command import predict_peaks

    predict_peaks(args)
