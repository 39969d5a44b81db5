"""Run tools in processes forked from one that has imported what they need.

A new process spends seconds of importing. These children have their own arguments, variables,
folder, output and random numbers, as new processes do, but share what importing leaves behind:
tests of imports, of the environment at the start or of packaging need `tests.helpers.tool.start`.
"""

from __future__ import annotations

import atexit
import locale
import multiprocessing
import os
import random
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.helpers.tool import REPOSITORY, environment

IMPORTS = 'tests.helpers.forked_imports'


def prepare() -> None:
    """Name the imports of the process from which multiprocessing's 'forkserver' forks."""
    multiprocessing.set_forkserver_preload([IMPORTS])


class Forked:
    """A forked process with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, target: Callable[..., None], *args: Any, **more: Any) -> None:
        """Start it: `target` is a function of a module, and the arguments can be pickled."""
        prepare()
        context = multiprocessing.get_context('forkserver')
        self._process = context.Process(target=_in_child, args=(target, *args), kwargs=more)
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        """As `Popen`'s: the negative number of the signal that ended it."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Its status, or None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return its status."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(f'process {self.pid}', timeout or 0)
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)


def _in_child(target: Callable[..., None], *args: Any, **more: Any) -> None:
    """Run a function; the state of the fork server that would repeat itself is made anew."""
    assert IMPORTS in sys.modules, f'the fork server could not import {IMPORTS}'
    # Its own children come from the same server; without this they would start another.
    forkserver._forkserver.ensure_running = lambda: None  # type: ignore[method-assign]
    random.seed()
    np.random.seed()
    torch.set_num_threads(1)
    target(*args, **more)


def _redirect(output: Path) -> None:
    """Append standard output and error to a file."""
    with output.open('ab') as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    # New streams: those of the fork server remember what kind of file theirs was.
    encoding = locale.getencoding()
    shown, error = (
        os.fdopen(number, 'w', buffering=1, encoding=encoding, closefd=False) for number in (1, 2)
    )
    error.reconfigure(errors='backslashreplace')
    sys.stdout = sys.__stdout__ = shown
    sys.stderr = sys.__stderr__ = error


def start_forked(log: Path, *words: object, folder: Path = REPOSITORY, **variables: str) -> Forked:
    """Start `python words…`, whose output goes to a file."""
    log.write_bytes(b'')
    return Forked(run_program, list(map(str, words)), environment(**variables), log, folder=folder)


def finish_forked(log: Path, *words: object, folder: Path = REPOSITORY, **variables: str) -> str:
    """Run `python words…` until it exits with status 0; return its output."""
    status = start_forked(log, *words, folder=folder, **variables).wait(timeout=300)
    assert status == 0, log.read_text(encoding='utf-8')[-4000:]
    return log.read_text(encoding='utf-8')


def run_program(
    words: Sequence[str],
    variables: Mapping[str, str],
    output: Path,
    *,
    session: bool = False,
    folder: Path = REPOSITORY,
) -> None:
    """Become `python words…`: a script's path, `-m` and a module, or `-c` and code.

    Args:
        words: The arguments.
        variables: The environment.
        output: A file to which standard output and error are appended.
        session: Start a session, so that a signal to its group reaches this process only.
        folder: The working directory.

    Raises:
        SystemExit: With the program's status.
    """
    if session:
        os.setsid()
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    _redirect(output)
    try:
        if words[0] == '-m':
            sys.argv = list(words[1:])
            runpy.run_module(words[1], run_name='__main__', alter_sys=True)
        elif words[0] == '-c':
            sys.argv = ['-c', *words[2:]]
            exec(words[1], {'__name__': '__main__'})
        else:
            sys.argv = list(words)
            sys.path.insert(0, str(Path(words[0]).resolve().parent))
            runpy.run_path(words[0], run_name='__main__')
    finally:
        atexit._run_exitfuncs()
