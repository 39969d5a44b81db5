"""Export a trained model to a file that other runtimes execute.

python tools/export.py configs/effnet_b3_retinanet_coco.py epoch_12.pth --out model.onnx
"""

import sys

from effnet_dense.commands.export import main, parser
from effnet_dense.commands.program import run

if __name__ == '__main__':
    sys.exit(run(main, parser()))
