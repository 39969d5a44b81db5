"""Stress-test a trained model on corrupted and adversarial images.

python tools/robustness.py work_dirs/effnet_lite0_retinanet_finetune --data DIR
"""

import sys

from effnet_dense.commands.program import run
from effnet_dense.commands.robustness import main, parser

if __name__ == '__main__':
    sys.exit(run(main, parser()))
