"""Train a detector or segmentor; checkpoints and logs go to the work folder.

python tools/train.py configs/effnet_b3_retinanet_coco.py
python tools/train.py configs/effnet_lite0_retinanet_finetune.py --data my_folder
"""

import sys

from effnet_dense.commands.program import run
from effnet_dense.commands.train import main, parser

if __name__ == '__main__':
    sys.exit(run(main, parser()))
