"""Processes that are late, that die, and that have processes of their own."""

from __future__ import annotations

import os
import time
from pathlib import Path

from benchmarks.gpu.processes import FINISHED, OUT_OF_TIME, run_limited


def write(path: Path) -> None:
    path.write_text('done', encoding='utf-8')


def wait_in_another(folder: Path) -> None:
    run_limited(60, True, folder / 'log', wait, folder)


def wait(folder: Path) -> None:
    (folder / 'pid').write_text(str(os.getpid()), encoding='utf-8')
    time.sleep(60)


def die() -> None:
    print('last words', flush=True)
    os._exit(3)


def abort() -> None:
    os.abort()


def is_running(pid: int) -> bool:
    """Whether there is such a process that has not ended; nobody may have collected a dead one."""
    stat = Path(f'/proc/{pid}/stat')
    return stat.exists() and stat.read_text(encoding='utf-8').rpartition(')')[2].split()[0] != 'Z'


def test_a_process_ends_by_itself(tmp_path: Path) -> None:
    assert run_limited(60, True, tmp_path / 'log', write, tmp_path / 'file') == FINISHED
    assert (tmp_path / 'file').exists()


def test_a_spawned_process_imports_its_function(tmp_path: Path) -> None:
    assert run_limited(60, False, tmp_path / 'log', write, tmp_path / 'file') == FINISHED
    assert (tmp_path / 'file').exists()


def test_output_and_exit_code(tmp_path: Path) -> None:
    assert run_limited(60, True, tmp_path / 'log', die) == 'died, exit code 3'
    assert (tmp_path / 'log').read_text(encoding='utf-8') == 'last words\n'


def test_the_stack_of_an_abort(tmp_path: Path) -> None:
    assert run_limited(60, True, tmp_path / 'log', abort) == 'died, exit code -6'
    assert ' in abort' in (tmp_path / 'log').read_text(encoding='utf-8')


def test_a_late_process_ends_with_its_own_ones(tmp_path: Path) -> None:
    begin = time.monotonic()
    assert run_limited(1, True, tmp_path / 'log', wait_in_another, tmp_path) == OUT_OF_TIME
    assert time.monotonic() - begin < 30
    assert not is_running(int((tmp_path / 'pid').read_text(encoding='utf-8')))
