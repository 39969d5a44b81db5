"""Run the scripts that launch several processes, whose torchrun and Python are forked."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.helpers.forked import Forked, run_program
from tests.helpers.tool import REPOSITORY, environment

TORCHRUN = """#!/bin/sh
env -0 > {folder}/variables
printf "%s\\0" "$@" > {folder}/words
"""


def start_launched(log: Path, script: str, *words: object, **variables: str) -> Forked:
    """Run `bash tools/<script> words…`, whose output goes to a file, up to its torchrun: fork it.

    Args:
        log: The file; a folder beside it keeps what the script gives to torchrun.
        script: The file's name.
        words: Its arguments.
        variables: Added to the environment.
    """
    folder = log.with_suffix('.torchrun')
    folder.mkdir()
    fake = folder / 'torchrun'
    fake.write_text(TORCHRUN.format(folder=shlex.quote(str(folder))), encoding='utf-8')
    fake.chmod(0o755)
    own = environment(**variables)
    subprocess.run(
        ['bash', f'tools/{script}', *map(str, words)],
        cwd=REPOSITORY,
        env={**own, 'PATH': f'{folder}{os.pathsep}{own["PATH"]}'},
        check=True,
    )
    asked = dict(word.split('=', 1) for word in _strings(folder / 'variables'))
    log.write_bytes(b'')
    return Forked(_torchrun, _strings(folder / 'words'), {**asked, 'PATH': own['PATH']}, log)


def _strings(path: Path) -> list[str]:
    return path.read_text(encoding='utf-8').split('\0')[:-1]


def _torchrun(words: list[str], variables: dict[str, str], log: Path) -> None:
    """Become torchrun, each of whose workers is forked from the same process as it was."""
    from torch.distributed.elastic.multiprocessing.subprocess_handler import SubprocessHandler

    def fork(self: Any, command: tuple[str, ...], worker_variables: Mapping[str, str]) -> Forked:
        _python, unbuffered, *program = command
        assert unbuffered == '-u', f'expected python -u and a script, got {command}'
        return Forked(run_program, program, dict(worker_variables), log, session=True)

    SubprocessHandler._popen = fork  # type: ignore[method-assign, assignment]
    run_program(['-m', 'torch.distributed.run', *words], variables, log)
