"""Apply compound scaling: the families' tables, a network for a budget, a search for α, β, γ.

See `python tools/scaling.py --help`.
"""

import sys

from effnet_dense.analysis.scaling.command import main, parser
from effnet_dense.engine.command import run

if __name__ == '__main__':
    sys.exit(run(main, parser()))
