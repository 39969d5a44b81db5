"""Show how a dataset is read, repaired and checked, without training; export it as COCO JSON.

python tools/data.py DIR
python tools/data.py DIR --config effnet_lite0_mask_rcnn_finetune --export clean
"""

import sys

from effnet_dense.commands.data import main, parser
from effnet_dense.commands.program import run

if __name__ == '__main__':
    sys.exit(run(main, parser()))
