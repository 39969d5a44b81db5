"""Two trainings never share a work folder, and a closed terminal loses nothing."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from effnet_dense.utils.run_lock import LOCK, Holder, check_unlocked, locked
from tests.helpers.tiny_models import DETECTOR, SMALL
from tests.helpers.tool import REPOSITORY, call, environment

ENDLESS = 'train_cfg.max_epochs=1000'
START = """
import sys
from effnet_dense.utils.run_lock import locked
try:
    with locked(sys.argv[1]):
        print('held', flush=True)
        sys.stdin.read()
except FileExistsError as error:
    print(f'refused: {error}', flush=True)
"""


@pytest.fixture(autouse=True)
def _quiet(quiet_loggers: None) -> None:
    """Every tool makes loggers."""


def holder(folder: Path) -> subprocess.Popen[str]:
    """Start a process that holds a folder's lock until its input ends, or is refused."""
    return subprocess.Popen(
        [sys.executable, '-c', START, str(folder)],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding='utf-8',
        errors='replace',
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_second_training_is_refused(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = holder(tmp_path)
    assert first_line(other) == 'held'
    words = [DETECTOR, '--data', tiny_data, '--work-dir', tmp_path, *SMALL]
    assert call('train', *words) == 2
    error = capsys.readouterr().err
    assert f'process {other.pid} on {socket.gethostname()} has been training in ' in error
    assert not list(tmp_path.glob('*.pth'))
    assert call('train', *words[:-1], '--skip-bad') == 2, 'its lists are not replaced, either'
    other.communicate()
    assert call('train', *words) == 0
    assert (tmp_path / 'epoch_1.pth').is_file() and not (tmp_path / LOCK).exists()


def test_a_killed_training_is_taken_over(tmp_path: Path) -> None:
    first = holder(tmp_path)
    assert first_line(first) == 'held'
    first.kill()
    os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
    second = holder(tmp_path)
    assert first_line(second) == 'held'
    second.communicate()
    first.wait()


def test_one_of_many_takes_a_dead_ones_place(tmp_path: Path) -> None:
    dead = Holder(2**22 + 1, socket.gethostname(), 'long ago')
    (tmp_path / LOCK).write_text(json.dumps(vars(dead)), encoding='utf-8')
    processes = [holder(tmp_path) for _ in range(6)]
    lines = [first_line(process) for process in processes]
    assert sorted(line.partition(':')[0] for line in lines) == ['held', *['refused'] * 5]
    for process in processes:
        process.communicate()
    assert not (tmp_path / LOCK).exists()


def test_a_new_process_of_the_same_id_is_not_the_holder(tmp_path: Path) -> None:
    before = Holder(os.getpid(), socket.gethostname(), 'before', boot_ticks=1)
    (tmp_path / LOCK).write_text(json.dumps(vars(before)), encoding='utf-8')
    check_unlocked(tmp_path)
    with locked(tmp_path), pytest.raises(FileExistsError, match='has been training'):
        check_unlocked(tmp_path)
    assert not (tmp_path / LOCK).exists()


def test_another_hosts_lock_says_how_to_remove_it(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text(
        json.dumps(vars(Holder(7, 'node-1', '2026-11-28 08:00:00'))), encoding='utf-8'
    )
    message = rf'process 7 on node-1 .* since 2026-11-28 08:00:00: .* remove .*{LOCK}'
    with pytest.raises(FileExistsError, match=message), locked(tmp_path):
        pass
    assert (tmp_path / LOCK).is_file()


@pytest.mark.parametrize('content', [b'', b'{"pid": 7', b'mine'])
def test_what_is_not_a_lock(content: bytes, tmp_path: Path) -> None:
    """An empty file is what a kill leaves between creating and writing; others stay."""
    (tmp_path / LOCK).write_bytes(content)
    if not content:
        with locked(tmp_path):
            pass
        return
    with pytest.raises(FileExistsError, match='is not a lock'), locked(tmp_path):
        pass
    assert (tmp_path / LOCK).read_bytes() == content


def train_in_terminal(data: Path, work_dir: Path) -> tuple[int, int]:
    """Start a training as the foreground process of a terminal; return its id and the terminal."""
    script = REPOSITORY / 'tools' / 'train.py'
    words = ['--data', data, '--work-dir', work_dir, *SMALL, ENDLESS]
    variables = environment(TERM='xterm')
    command = [sys.executable, str(script), DETECTOR, *map(str, words)]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(REPOSITORY)
        os.execve(sys.executable, command, variables)
    return pid, terminal


def wait_until_training(terminal: int, work_dir: Path) -> None:
    """Read what the training prints until its first step is logged."""
    shown, end = b'', time.monotonic() + 240
    os.set_blocking(terminal, False)
    while time.monotonic() < end:
        try:
            shown += os.read(terminal, 4096)
        except BlockingIOError:
            time.sleep(0.2)
        if any(path.stat().st_size for path in work_dir.glob('*/vis_data/scalars.json')):
            return
    pytest.fail(shown.decode(errors='replace')[-3000:])


@pytest.mark.slow
def test_a_closed_terminal_saves_where_it_was(tiny_data: Path, tmp_path: Path) -> None:
    pid, terminal = train_in_terminal(tiny_data, tmp_path)
    wait_until_training(terminal, tmp_path)
    assert (tmp_path / LOCK).is_file()
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGHUP
    assert (tmp_path / 'interrupted.pth').is_file() and not (tmp_path / LOCK).exists()
    last = (tmp_path / 'last_checkpoint').read_text(encoding='utf-8')
    assert last.endswith('interrupted.pth')
