"""Rewrite the report page of a run from its work folder; compare two runs or more on one page.

Examples:
  effnet-dense report work_dirs/effnet_lite0_retinanet_finetune
  effnet-dense report work_dirs/first work_dirs/second
"""

from __future__ import annotations

import argparse

from effnet_dense.commands.parsers import Parser, add_debug, command_parser
from effnet_dense.commands.readers import given_path


def parser(prog: str | None = None) -> Parser:
    """Return the command line's parser."""
    arguments = command_parser(__doc__, prog)
    arguments.add_argument(
        'work_dir', type=given_path, help='work folder of a training or test run'
    )
    arguments.add_argument(
        'others',
        nargs='*',
        type=given_path,
        metavar='work_dir',
        help='work folders of runs to compare with it, on a page in its report/',
    )
    add_debug(arguments)
    return arguments


def main(args: argparse.Namespace) -> None:
    """Write the page of a work folder, or of several."""
    from effnet_dense.report import write_comparison, write_page

    if args.others:
        print(write_comparison([args.work_dir, *args.others]))
    else:
        print(write_page(args.work_dir))
