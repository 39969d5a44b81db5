"""Compound scaling as a tool: the families' tables, a network for a budget, a search for α, β, γ.

python tools/scaling.py table --task detection --family b --latency
python tools/scaling.py suggest --mib 200 --lean 1 --task efficientdet
python tools/scaling.py search efficientdet_lite0_finetune --data demo --size 96 --steps 60
"""

import sys

from effnet_dense.commands.program import run
from effnet_dense.commands.scaling import main, parser

if __name__ == '__main__':
    sys.exit(run(main, parser()))
