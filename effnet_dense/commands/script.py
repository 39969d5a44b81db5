"""Run a script of mmdet or mmseg with this package imported first.

Stock scripts such as test.py import mmcv.ops before they read a config. With this package imported
they find substitutes for operators that are not compiled, and its types. The script gets the words
after its name as they are, and its exit status is kept.

Examples:
  effnet-dense run mmdet:misc/print_config.py my_config.py
  effnet-dense run mmdet:analysis_tools/browse_dataset.py CONFIG --output-dir drawn --not-show
  effnet-dense run mmseg:test.py CONFIG CHECKPOINT
  effnet-dense run my_script.py --its-own-flag 3
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import importlib.util
import runpy
import sys
import traceback
from pathlib import Path

from effnet_dense.commands.parsers import Parser, add_debug, command_parser

TOOLS = ('.mim', 'tools')


def parser(prog: str | None = None) -> Parser:
    """Return the command line's parser."""
    arguments = command_parser(__doc__, prog)
    add_debug(arguments)
    arguments.add_argument(
        'script',
        metavar='TOOL.py',
        help='path of a script, or PACKAGE:NAME of one in the tools of mmdet, mmseg and the like',
    )
    arguments.add_argument(
        'words', nargs=argparse.REMAINDER, metavar='…', help="the script's own arguments"
    )
    return arguments


def main(args: argparse.Namespace) -> None:
    """Run the script as the program itself.

    Raises:
        FileNotFoundError: There is no such script.
        SystemExit: The script ended with a status, or with an error: 1.
    """
    path = find_script(args.script)
    importlib.import_module('effnet_dense.registry')  # type names with our scope resolve from here
    sys.argv = [str(path), *args.words]
    sys.path.insert(0, str(path.parent))
    try:
        runpy.run_path(str(path), run_name='__main__')
    except Exception as error:  # its own errors are Python's, not ours
        frames = error.__traceback__
        while frames is not None and frames.tb_frame.f_code.co_filename != str(path):
            frames = frames.tb_next
        traceback.print_exception(type(error), error, frames or error.__traceback__)
        raise SystemExit(1) from None


def find_script(name: str) -> Path:
    """Return the file of a script: a path, or PACKAGE:NAME in the package's `.mim/tools`.

    Raises:
        FileNotFoundError: Neither exists; the message lists similar names.
    """
    package, separator, inside = name.partition(':')
    if Path(name).is_file() or not separator:
        return _file(Path(name))
    if not package.isidentifier() or (spec := importlib.util.find_spec(package)) is None:
        raise FileNotFoundError(f'no package {package!r} is installed, of which {name!r} would be')
    folders = [Path(place, *TOOLS) for place in spec.submodule_search_locations or ()]
    for folder in folders:
        path = folder / inside
        if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
            return path
    found = [path.relative_to(f).as_posix() for f in folders for path in sorted(f.rglob('*.py'))]
    if not found:
        raise FileNotFoundError(f'{package} has no scripts in {folders[0] if folders else TOOLS}')
    near = difflib.get_close_matches(inside, found, n=3, cutoff=0.4) or found
    raise FileNotFoundError(f'no script {inside!r} in {package}; it has {", ".join(near)}')


def _file(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(
            f'no script {str(path)!r}; scripts of mmdet are named mmdet:test.py, of mmseg '
            'mmseg:test.py'
        )
    return path
