"""Run a script of OpenMMLab's with this package imported first.

`python -m effnet_dense.compat SCRIPT [arguments…]`: for scripts that import mmcv's operators before
they read a config, in whose `custom_imports` this package is.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path


def main(words: list[str]) -> None:
    """Run the script that the first word names, with the others as its arguments.

    Raises:
        SystemExit: No such script, or with the script's status.
    """
    if not words or not Path(words[0]).is_file():
        given = words[0] if words else 'none'
        sys.exit(f'usage: python -m effnet_dense.compat SCRIPT …: expected a script, got {given}')
    sys.argv[:] = words
    sys.path[0] = str(Path(words[0]).resolve().parent)
    runpy.run_path(words[0], run_name='__main__')


if __name__ == '__main__':
    main(sys.argv[1:])
