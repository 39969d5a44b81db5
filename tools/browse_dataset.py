"""Draw what training with a config sees: augmented images with boxes, masks and label maps.

python tools/browse_dataset.py configs/effnet_lite0_retinanet_finetune.py --data DIR
python tools/browse_dataset.py configs/effnet_lite0_bifpn_camvid.py --data DIR --epoch 3 --number 40

With the config's seed (`randomness.seed`) these are the images of its training, in order; without a
seed they are only an example. A contact sheet is written next to them.
"""

import sys

from effnet_dense.commands.browse import main, parser
from effnet_dense.commands.program import run

if __name__ == '__main__':
    sys.exit(run(main, parser()))
