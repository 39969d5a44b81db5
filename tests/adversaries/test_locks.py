"""Two trainings never share a work folder, and a closed terminal loses nothing."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from effnet_dense.utils import run_lock
from effnet_dense.utils.atomic import lock_file
from effnet_dense.utils.run_lock import LOCK, Holder, check_unlocked, locked
from tests.helpers.forked import Forked, run_program
from tests.helpers.tiny_models import DETECTOR, SMALL
from tests.helpers.tool import REPOSITORY, call, environment

ENDLESS = 'train_cfg.max_epochs=1000'
# The package without its root, which imports the frameworks.
LIGHT = f"""
import sys, types
sys.modules['effnet_dense'] = types.ModuleType('effnet_dense')
sys.modules['effnet_dense'].__path__ = ['{REPOSITORY / 'effnet_dense'}']
"""
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
        [sys.executable, '-c', LIGHT + START, str(folder)],
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


@pytest.mark.slow
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


CONTAINER = """
import socket, sys
socket.sethostname(sys.argv[1])
from effnet_dense.utils.run_lock import locked
try:
    with locked(sys.argv[2]):
        print('held', flush=True)
        sys.stdin.read()
except FileExistsError as error:
    print(f'refused: {error}', flush=True)
"""


def container(name: str, folder: Path) -> subprocess.Popen[str]:
    """Start a process that holds a lock, as a container does: own host name and process ids."""
    inside = [sys.executable, '-c', LIGHT + CONTAINER, name, str(folder)]
    return subprocess.Popen(
        ['unshare', '--pid', '--uts', '--fork', '--mount-proc', '--kill-child', *inside],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding='utf-8',
        errors='replace',
    )


@pytest.fixture
def _containers() -> None:
    command = ['unshare', '--pid', '--uts', '--fork', '--mount-proc', '--kill-child', 'true']
    if shutil.which('unshare') is None or subprocess.run(command, check=False).returncode:
        pytest.skip('only the superuser may make containers here')


@pytest.mark.usefixtures('_containers')
def test_a_container_that_was_killed_is_taken_over(tmp_path: Path) -> None:
    """Its processes had ids of their own, so that only the system knows whether they live."""
    first = container('pod-a', tmp_path)
    assert first_line(first) == 'held'
    record = json.loads((tmp_path / LOCK).read_text(encoding='utf-8'))
    assert record['host'] == 'pod-a' and record['pid'] == 1
    second = container('pod-b', tmp_path)
    assert 'process 1 on pod-a has been training in' in first_line(second)
    second.communicate()
    outside = holder(tmp_path)
    assert 'wait for its end' in first_line(outside)
    outside.communicate()
    first.kill()
    first.wait()
    third = container('pod-b', tmp_path)
    assert first_line(third) == 'held'
    third.communicate()


def test_a_restarted_container_has_other_processes_of_the_same_ids(tmp_path: Path) -> None:
    """Process 1 of the new container is not the one that trained; neither is its host name."""
    with locked(tmp_path):
        record = json.loads((tmp_path / LOCK).read_text(encoding='utf-8'))
    before = {**record, 'pid': 1, 'host': 'pod-before', 'pid_space': 'pid:[1]'}
    (tmp_path / LOCK).write_text(json.dumps(before), encoding='utf-8')
    check_unlocked(tmp_path)
    with locked(tmp_path):
        pass
    elsewhere = {**before, 'device': -1}  # such as a network disk: each mount has its own locks
    (tmp_path / LOCK).write_text(json.dumps(elsewhere), encoding='utf-8')
    with pytest.raises(FileExistsError, match=r'pod-before .*remove'):
        check_unlocked(tmp_path)


@pytest.mark.parametrize(
    ('change', 'dead'),
    [
        (dict(boot='before'), True),  # the machine was restarted
        (dict(boot='before', machine='other'), False),  # another one of this name
        (dict(boot='other', host='other'), False),
        (dict(host='other', boot_ticks=1), True),  # this machine was renamed
        (dict(host='other'), False),
    ],
)
def test_who_may_live(change: dict[str, Any], dead: bool) -> None:
    own = Holder.this_process()
    machine = {'machine': own.machine or 'this'}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_lock.Holder, 'this_process', lambda: replace(own, **machine))
        assert replace(own, **(machine | change)).may_live() is not dead


def test_another_machine_says_when_it_wrote_last(tmp_path: Path) -> None:
    log = tmp_path / '20261128_080000' / 'log'
    log.parent.mkdir()
    log.write_text('', encoding='utf-8')
    hours = time.time() - 3 * 3600 - 5
    other = replace(Holder.this_process(), host='node-1', boot='other', time=hours)
    (tmp_path / LOCK).write_text(json.dumps(vars(other)), encoding='utf-8')
    for path in (log, tmp_path / LOCK):
        os.utime(path, (hours, hours))
    message = r'since .* \(3 hours ago\): if it has ended, remove .* \(the newest .* 3 hours ago\)'
    with pytest.raises(FileExistsError, match=message):
        check_unlocked(tmp_path)


def test_workers_do_not_keep_the_lock(tmp_path: Path) -> None:
    """Those that outlive a killed training end seconds later."""
    code = """
import os, sys, time
from effnet_dense.utils.run_lock import locked
with locked(sys.argv[1]):
    child = os.fork()
    if child:
        print(child, flush=True)
    time.sleep(60)
"""
    words = [sys.executable, '-c', LIGHT + code, str(tmp_path)]
    first = subprocess.Popen(
        words, env=environment(), stdout=subprocess.PIPE, text=True, encoding='utf-8'
    )
    worker = int(first_line(first))
    first.kill()
    first.wait()
    try:
        with (tmp_path / LOCK).open('rb') as file:
            for _ in range(100):  # the worker closes the file as soon as it runs
                with contextlib.suppress(BlockingIOError):
                    assert lock_file(file.fileno())
                    return
                time.sleep(0.1)
        pytest.fail('a worker keeps the lock')
    finally:
        os.kill(worker, signal.SIGKILL)


@pytest.mark.parametrize('kind', ['folder', 'link', 'pipe'])
def test_a_lock_that_is_no_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / LOCK
    if kind == 'folder':
        path.mkdir()
    elif kind == 'pipe':
        os.mkfifo(path)
    else:
        path.symlink_to(tmp_path / 'theirs')
    with pytest.raises(FileExistsError, match='is not a lock'), locked(tmp_path):
        pass
    assert [each.name for each in tmp_path.iterdir()] == [LOCK]


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


def train_in_terminal(data: Path, work_dir: Path) -> tuple[Forked, int]:
    """Start a training as the foreground process of a terminal; return it and the terminal."""
    words = ['tools/train.py', DETECTOR, '--data', data, '--work-dir', work_dir, *SMALL, ENDLESS]
    terminal, shown = pty.openpty()
    name = os.ttyname(shown)
    process = Forked(_in_terminal, name, list(map(str, words)), environment(TERM='xterm'))
    while process.poll() is None and os.tcgetpgrp(terminal) != process.pid:
        time.sleep(0.01)
    os.close(shown)
    return process, terminal


def _in_terminal(name: str, words: list[str], variables: dict[str, str]) -> None:
    os.login_tty(os.open(name, os.O_RDWR))
    run_program(words, variables, Path(name))


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
    process, terminal = train_in_terminal(tiny_data, tmp_path)
    wait_until_training(terminal, tmp_path)
    assert (tmp_path / LOCK).is_file()
    os.close(terminal)
    assert process.wait(timeout=240) == 128 + signal.SIGHUP
    assert (tmp_path / 'interrupted.pth').is_file() and not (tmp_path / LOCK).exists()
    last = (tmp_path / 'last_checkpoint').read_text(encoding='utf-8')
    assert last.endswith('interrupted.pth')
