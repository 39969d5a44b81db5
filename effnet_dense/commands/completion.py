"""Print a script for a shell's completion: commands, options, files and names of configs.

The script is static: pressing the tabulator starts no Python. Print it again after an update.

Examples:
  effnet-dense completion bash > ~/.local/share/bash-completion/completions/effnet-dense
  effnet-dense completion zsh > ~/.zfunc/_effnet-dense
  effnet-dense completion tcsh > ~/.effnet-dense.tcsh
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from effnet_dense.commands.parsers import Parser, add_debug, command_parser
from effnet_dense.commands.readers import given_path, output_file, output_folder
from effnet_dense.utils.shipped import shipped_configs

SHELLS = ('bash', 'zsh', 'tcsh')
CONFIGS = '_effnet_dense_configs'
PREAMBLES = {
    'bash': '{name}() {{ compgen -W "{configs}" -- $1; compgen -f -- $1; }}',
    'zsh': "{name}() {{ _alternative 'configs:config:({configs})' 'files:file:_files' }}",
    'tcsh': '',
}


def parser(prog: str | None = None) -> Parser:
    """Return the command line's parser."""
    arguments = command_parser(__doc__, prog)
    arguments.add_argument('shell', choices=SHELLS, help='the shell that reads the script')
    add_debug(arguments)
    return arguments


def main(args: argparse.Namespace) -> None:
    """Print the shell's script."""
    import shtab

    from effnet_dense.commands.main import complete

    program = complete()
    for action in _actions(program):
        if action.dest in ('config', 'configs'):
            files = {**shtab.FILE, 'bash': CONFIGS, 'zsh': CONFIGS}
        elif action.type is output_folder:
            files = shtab.DIRECTORY
        elif action.type in (given_path, output_file, Path):
            files = shtab.FILE
        else:
            continue
        action.complete = files  # type: ignore[attr-defined]
    preamble = PREAMBLES[args.shell].format(name=CONFIGS, configs=' '.join(shipped_configs()))
    print(shtab.complete(program, args.shell, preamble=preamble))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a parser and of its commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action
