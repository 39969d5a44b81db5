"""Rewrite the report page of a run from the evaluation data in its work folder.

Examples:
  effnet-dense report work_dirs/effnet_lite0_retinanet_finetune
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
    add_debug(arguments)
    return arguments


def main(args: argparse.Namespace) -> None:
    """Write the page of a work folder."""
    from effnet_dense.report import write_page

    print(write_page(args.work_dir))
