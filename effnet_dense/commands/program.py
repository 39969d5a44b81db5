"""Run a command: errors that a user can act on are one line."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

USER_ERRORS = (ValueError, KeyError, OSError, ImportError, FloatingPointError)


def run(
    tool: Callable[[argparse.Namespace], Any],
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None = None,
) -> int:
    """Run a command; user errors print one line `error: …` and return 2, Ctrl-C returns 130.

    Args:
        tool: The command's main function.
        parser: Its arguments; must have `--debug`.
        argv: The command line after the program's name; by default the process's own.

    Returns:
        The exit status.
    """
    _print_any_character()
    args = argparse.Namespace(debug=False)
    try:
        args = parser.parse_args(argv)
        tool(args)
        sys.stdout.flush()
    except BrokenPipeError:  # of `… | head`
        _discard_output()
        return 128 + signal.SIGPIPE
    except USER_ERRORS as error:
        _print_error(error, args.debug)
        return 2
    except KeyboardInterrupt as stop:
        print(f'{stop or "stopped"}', file=sys.stderr)
        return 128 + getattr(stop, 'signum', signal.SIGINT)
    _leave_process_group()
    return 0


def message(error: BaseException) -> str:
    """Return an error's message; its last line if it came from a data loader's worker."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    if 'Original Traceback' in text:
        text = text.strip().splitlines()[-1]
        kind, _, text = text.rpartition(': ') if text.endswith(': ') else text.partition(': ')
        return text if ' ' in text else f'{kind}: {text}'
    if isinstance(error, OSError) and error.strerror:
        return f'{error.filename}: {error.strerror}' if error.filename else error.strerror
    from effnet_dense.utils.config_errors import reason

    return reason(error)


def _print_error(error: BaseException, debug: bool) -> None:
    from effnet_dense.utils.controls import escape_controls
    from effnet_dense.utils.urls import without_user

    if debug:
        traceback.print_exc()
    print(f'error: {escape_controls(without_user(message(error)))}', file=sys.stderr)


def _print_any_character() -> None:
    from effnet_dense.utils.console import print_any_character

    print_any_character()


def _discard_output() -> None:
    """Let the interpreter flush standard output at its end without another error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _leave_process_group() -> None:
    dist = sys.modules.get('torch.distributed')
    if dist is not None and dist.is_available() and dist.is_initialized():
        # Otherwise gloo's threads may abort a process that has finished (pytorch#179291).
        dist.destroy_process_group()
