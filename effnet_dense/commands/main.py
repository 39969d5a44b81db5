"""EfficientNets for detection and segmentation: train, test, predict and measure.

`effnet-dense COMMAND --help` shows a command's options and examples.

Examples:
  effnet-dense train effnet_lite0_retinanet_finetune --data demo --epochs 2
  effnet-dense data DIR
  effnet-dense train --help
"""

from __future__ import annotations

import difflib
import importlib
import re
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, cast

import effnet_dense
from effnet_dense.commands.parsers import Parser, command_parser
from effnet_dense.commands.program import run

PROGRAM = 'effnet-dense'
COMMANDS = {
    'train': 'train',
    'test': 'test',
    'predict': 'predict',
    'explain': 'explain',
    'export': 'export',
    'browse': 'browse',
    'report': 'report',
    'robustness': 'robustness',
    'data': 'data',
    'plan': 'plan',
    'memory': 'memory',
    'scaling': 'scaling',
    'models': 'models',
    'run': 'script',
    'completion': 'completion',
}
"""Command → its module in this folder."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `effnet-dense`.

    Args:
        argv: The words after the program's name; by default the process's own.

    Returns:
        The exit status.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    name = words[0] if words else '--help'
    if name not in COMMANDS:
        parser = overview()
        if not name.startswith('-'):
            parser.error(_unknown(name))
        parser.parse_args(words or [name])  # help, version and errors end the program
        parser.error('expected a command first')
    module = load(name)
    return run(module.main, module.parser(f'{PROGRAM} {name}'), words[1:])


def load(name: str) -> ModuleType:
    """Import a command's module."""
    return importlib.import_module(f'effnet_dense.commands.{COMMANDS[name]}')


def overview() -> Parser:
    """Return the program's parser without the commands' own arguments."""
    return _program(lambda name: command_parser(None, f'{PROGRAM} {name}'))


def complete() -> Parser:
    """Return the program's parser with all of the commands' arguments."""
    return _program(lambda name: load(name).parser(f'{PROGRAM} {name}'))


def summary(name: str) -> str:
    """Return what a command does: its help up to the first full stop, colon or semicolon."""
    return re.split('[.:;]', str(load(name).__doc__), maxsplit=1)[0]


def _program(command: Callable[[str], Parser]) -> Parser:
    """Return the program's parser.

    Args:
        command: Name of a command → its parser.
    """
    parser = command_parser(__doc__, PROGRAM)
    version = f'{PROGRAM} {effnet_dense.__version__}'
    parser.add_argument('--version', action='version', version=version)

    def make(of: str, **_: Any) -> Parser:
        return command(of)

    commands = parser.add_subparsers(
        title='commands',
        dest='command',
        metavar='COMMAND',
        required=True,
        parser_class=cast(type[Parser], make),
    )
    for name in COMMANDS:
        commands.add_parser(name, help=summary(name), of=name)
    return parser


def _unknown(word: str) -> str:
    near = difflib.get_close_matches(word, COMMANDS, n=1)
    hint = f'did you mean {near[0]}?' if near else f'expected one of {", ".join(COMMANDS)}'
    return f'no command {word!r}; {hint}'
