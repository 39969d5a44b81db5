"""Rewrite the report page of a run from the evaluation data in its work folder.

python tools/report.py work_dirs/effnet_lite0_retinanet_finetune
"""

import sys

from effnet_dense.commands.program import run
from effnet_dense.commands.report import main, parser

if __name__ == '__main__':
    sys.exit(run(main, parser()))
