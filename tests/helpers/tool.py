"""Run a script of tools/ in the test's process or in its own."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path

from effnet_dense.commands.program import run

REPOSITORY = Path(__file__).resolve().parents[2]


def call(name: str, *words: object) -> int:
    """Run `python tools/<name>.py words…` in this process; return its exit status."""
    path = REPOSITORY / 'tools' / f'{name}.py'
    spec = importlib.util.spec_from_file_location(f'tool_{name}', path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return run(module.main, module.parser(), [str(word) for word in words])


def environment(**more: str) -> dict[str, str]:
    """Variables with which a new process finds the package, installed or not, and its own port."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
    own = dict(PYTHONPATH=str(REPOSITORY), OMP_NUM_THREADS='1', MASTER_PORT=port, PATH=path)
    return {**os.environ, **own, **more}


def start(log: Path, *words: object, **variables: str) -> subprocess.Popen[bytes]:
    """Start a program whose output goes to a file."""
    with log.open('w', encoding='utf-8') as output:
        return subprocess.Popen(
            [str(word) for word in words],
            cwd=REPOSITORY,
            env=environment(**variables),
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def finish(log: Path, *words: object, **variables: str) -> str:
    """Run a program until it exits with status 0; return its output."""
    status = start(log, *words, **variables).wait(timeout=300)
    assert status == 0, log.read_text(encoding='utf-8')[-4000:]
    return log.read_text(encoding='utf-8')


def run_python(code: str, *words: object, variables: dict[str, str] | None = None) -> str:
    """Run Python code in a new process from the repository's root; return what it printed."""
    done = subprocess.run(
        [sys.executable, '-c', code, *map(str, words)],
        cwd=REPOSITORY,
        env=variables,
        capture_output=True,
        text=True,
        timeout=400,
        encoding='utf-8',
        errors='replace',
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
