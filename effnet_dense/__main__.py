"""`python -m effnet_dense`: the same as `effnet-dense`."""

import sys

from effnet_dense.commands.main import main

if __name__ == '__main__':
    sys.exit(main())
