"""Evaluate a checkpoint on the test data and draw its predictions.

python tools/test.py configs/effnet_b3_retinanet_coco.py epoch_12.pth --show-dir pictures
"""

import sys

from effnet_dense.commands.program import run
from effnet_dense.commands.test import main, parser

if __name__ == '__main__':
    sys.exit(run(main, parser()))
