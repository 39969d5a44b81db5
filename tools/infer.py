"""Predict on images, folders and videos; write drawings, and JSON files in COCO's formats.

python tools/infer.py effnet_lite0_mask_rcnn_finetune epoch_15.pth street.jpg folder/ --out found
"""

import sys

from effnet_dense.commands.predict import main, parser
from effnet_dense.commands.program import run

if __name__ == '__main__':
    sys.exit(run(main, parser()))
