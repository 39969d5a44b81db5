"""Rewrite the report page of a run from the evaluation data in its work folder.

python tools/report.py work_dirs/effnet_lite0_retinanet_finetune
"""

from __future__ import annotations

import argparse
import sys

from effnet_dense.engine.command import given_path, run
from effnet_dense.report import write_page


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument(
        'work_dir', type=given_path, help='work folder of a training or test run'
    )
    arguments.add_argument('--debug', action='store_true', help="show an error's traceback")
    return arguments


def main(args: argparse.Namespace) -> None:
    """Write the page of a work folder."""
    print(write_page(args.work_dir))


if __name__ == '__main__':
    sys.exit(run(main, parser()))
