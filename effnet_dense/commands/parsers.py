"""Make the parser of a command: help from its docstring, and a hint for a misspelt option."""

from __future__ import annotations

import argparse
import difflib
import inspect
from typing import Any, NoReturn

from rich_argparse import RawDescriptionRichHelpFormatter

EXAMPLES = '\nExamples:\n'
UNKNOWN = 'unrecognized arguments: '


def _as_written(title: str) -> str:
    """Return a group's title as it is, but its first letter is a capital."""
    return title[:1].upper() + title[1:]


class HelpFormatter(RawDescriptionRichHelpFormatter):
    """Coloured help on a terminal; brackets in texts are no markup."""

    text_markup = False
    help_markup = False
    group_name_formatter = staticmethod(_as_written)  # type: ignore[assignment]


class Parser(argparse.ArgumentParser):
    """A parser that names the options most like an unknown one."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse a command line; options may stand before, between and after the other words."""
        kinds = [action.nargs for action in self._get_positional_actions()]
        if not {'?', '*'} & set(kinds) or {argparse.PARSER, argparse.REMAINDER} & set(kinds):
            return super().parse_args(args, namespace)
        return self.parse_intermixed_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """End the program with a message, without the usage, and status 2."""
        words = message.removeprefix(UNKNOWN).split() if message.startswith(UNKNOWN) else []
        flags = [word.partition('=')[0] for word in words if word.startswith('--')]
        known = [flag for flag in self._option_string_actions if flag.startswith('--')]
        near = [match for flag in flags for match in difflib.get_close_matches(flag, known, n=1)]
        hint = f'; did you mean {", ".join(near)}?' if near else ''
        self.exit(2, f'error: {message}{hint}\nsee `{self.prog} --help`\n')


def command_parser(doc: str | None, prog: str | None = None, **kwargs: Any) -> Parser:
    """Return a parser whose help is a docstring.

    Args:
        doc: Its part after a line `Examples:` follows the options.
        prog: How the command is called; by default by its file.
        kwargs: For argparse's parser.
    """
    text, found, examples = inspect.cleandoc(doc or '').partition(EXAMPLES)
    return Parser(
        prog,
        description=text.strip() or None,
        epilog=f'Examples:\n{examples}' if found else None,
        formatter_class=HelpFormatter,
        **kwargs,
    )


def add_debug(parser: argparse.ArgumentParser) -> None:
    """Add `--debug`, which `program.run` reads."""
    parser.add_argument(
        '--debug', action='store_true', help="show an error's traceback before its message"
    )
