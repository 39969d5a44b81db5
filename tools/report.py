"""Write the page about a run again, from the data of its evaluation in the work folder.

python tools/report.py work_dirs/effnet_lite0_retinanet_finetune
"""

from __future__ import annotations

import argparse
import sys

from effnet_dense.engine.command import run
from effnet_dense.report import write_page


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument('work_dir', help='folder of a training or of a test')
    arguments.add_argument('--debug', action='store_true', help="show an error's traceback")
    return arguments


def main(args: argparse.Namespace) -> None:
    """Write the page of a work folder."""
    print(write_page(args.work_dir))


if __name__ == '__main__':
    sys.exit(run(main, parser()))
