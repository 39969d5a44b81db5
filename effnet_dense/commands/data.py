"""Show how a dataset is read, repaired and checked, without training; export it as COCO JSON.

Examples:
  effnet-dense data DIR
  effnet-dense data DIR --config effnet_lite0_mask_rcnn_finetune --export clean
"""

from __future__ import annotations

import argparse
from pathlib import Path

from effnet_dense.commands.config_arguments import VAL_SHARE
from effnet_dense.commands.parsers import Parser, add_debug, command_parser
from effnet_dense.commands.readers import output_folder


def parser(prog: str | None = None) -> Parser:
    """Return the command line's parser."""
    arguments = command_parser(__doc__, prog)
    add = arguments.add_argument
    add('data', metavar='DIR', type=Path, help='folder or ZIP file, as for --data of training')
    add('--config', help='the training: its pipelines say how images are loaded and resized')
    add(
        '--kind',
        choices=('auto', 'objects', 'label maps'),
        default='auto',
        help='what to look for, without a config',
    )
    add('--masks', action='store_true', help='check masks, too, without a config')
    add('--val-share', type=float, default=VAL_SHARE, metavar='SHARE', help='as for training')
    add('--split-seed', type=int, default=0, metavar='N', help='as for training')
    add(
        '--out',
        type=output_folder,
        metavar='DIR',
        help='for what is repaired, drawn or unpacked; default: data/converted/NAME',
    )
    add('--export', type=Path, metavar='DIR', help='write COCO JSON files and images there')
    add('--copy', action='store_true', help='copy the images of --export in place of links')
    add_debug(arguments)
    return arguments


def main(args: argparse.Namespace) -> None:
    """Show and export what the arguments request.

    Raises:
        ValueError: Label maps are to be exported.
    """
    from effnet_dense.data.coco import CocoSource
    from effnet_dense.data.coco.folder import converted
    from effnet_dense.data.parts import Division
    from effnet_dense.engine.config import load_config
    from effnet_dense.engine.dataset_tool import describe, examine, export
    from effnet_dense.utils.nothing_left import nothing_left

    config = None if args.config is None else load_config(args.config)
    division = Division(args.val_share, args.split_seed)
    scratch = None if args.out is None else Path(args.out)
    out = scratch or converted(args.data)
    print(f'what is repaired, drawn or unpacked goes to {out} (--out DIR chooses another folder)')
    with nothing_left(out):
        source = examine(args.data, args.kind, config, division, args.masks, scratch)
    print(describe(source, config))
    print(f'repaired, drawn or unpacked: {out}' if out.exists() else f'nothing written to {out}')
    if args.export is not None:
        if not isinstance(source, CocoSource):
            raise ValueError('--export writes objects with boxes or masks, not label maps')
        files = export(source, args.export, args.copy)
        print(f'exported: {", ".join(map(str, files.values()))}')
