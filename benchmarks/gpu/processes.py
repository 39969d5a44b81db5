"""Run functions in processes of their own, which end by a limit and take nobody along."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

OUT_OF_TIME = 'out of time'
FINISHED = 'finished'
GRACE = 5  # seconds in which a process may end its own ones


def run_limited(
    seconds: float, fork: bool, log: Path, function: Callable[..., Any], *args: Any
) -> str:
    """Run a function, and end it with all of its processes after a time.

    Args:
        seconds: The limit.
        fork: Take this process's imports along. A process that has used a GPU cannot be forked.
        log: The file to which its output is added.
        function: Of a module.
        args: Its arguments.

    Returns:
        `FINISHED`, `OUT_OF_TIME`, or why the process died.
    """
    context = multiprocessing.get_context('fork' if fork else 'spawn')
    process = context.Process(target=_in_session, args=(log, function, args))
    process.start()
    late = True
    try:
        process.join(max(seconds, 0))
        late = process.is_alive()
    finally:
        _end(process)
    if late:
        return OUT_OF_TIME
    return FINISHED if process.exitcode == 0 else f'died, exit code {process.exitcode}'


def _end(process: Any) -> None:
    """End a process, and the workers that it has started."""
    process.terminate()
    process.join(GRACE)
    process.kill()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.join()


def _in_session(log: Path, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    os.setsid()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    file = log.open('a', buffering=1, encoding='utf-8')
    os.dup2(file.fileno(), 1)  # of other processes and C++, too
    os.dup2(file.fileno(), 2)
    sys.stdout = sys.stderr = file
    faulthandler.enable(file)  # logs the Python stack if C++ aborts the process
    function(*args)
