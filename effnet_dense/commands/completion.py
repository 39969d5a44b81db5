"""Print a script for a shell's completion: commands, options and names of configs.

Examples:
  effnet-dense completion bash > ~/.local/share/bash-completion/completions/effnet-dense
  effnet-dense completion zsh > ~/.zfunc/_effnet-dense
  effnet-dense completion tcsh > ~/.effnet-dense.tcsh
"""

from __future__ import annotations

import argparse

from effnet_dense.commands.parsers import Parser, add_debug, command_parser

SHELLS = ('bash', 'zsh', 'tcsh')


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

    print(shtab.complete(complete(), args.shell))
