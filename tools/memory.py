"""Predict the peak memory of training a config on a GPU, without one.

python tools/memory.py configs/efficientdet_d0_coco.py --batch-size 4 --lean 0 1 2
python tools/memory.py configs/effnet_b3_retinanet_coco.py --precision bf16 --gib 24
"""

import sys

from effnet_dense.commands.memory import main, parser
from effnet_dense.commands.program import run

if __name__ == '__main__':
    sys.exit(run(main, parser()))
