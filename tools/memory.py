"""Predict the peak GPU memory of training a config, without a GPU.

See `python tools/memory.py --help`.
"""

import sys

from effnet_dense.analysis.memory.command import main, parser
from effnet_dense.engine.command import run

if __name__ == '__main__':
    sys.exit(run(main, parser()))
