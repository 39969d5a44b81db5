"""Libraries that somebody else put where compiled code is looked for."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.tool import REPOSITORY, environment, run_python

FOLDER = 'effnet_dense'
HEADERS = 'TORCHINDUCTOR_CPP_CACHE_PRECOMPILE_HEADERS'
# Most of a fresh folder's time goes into torch's own headers and processor checks.
FASTER = {HEADERS: '0', 'TORCHINDUCTOR_VEC_ISA_OK': '1'}
# Loads an operator and prints where the compiled code came from.
OPERATOR = """
import os
from pathlib import Path
from effnet_dense.ops import native
source = Path(words[0])
value = native.is_compiled(source) and native.function(source, 'planted', 0, 0)()
print(os.environ['TORCHINDUCTOR_CACHE_DIR'], flush=True)
"""
# Imports torch once, which takes most of the time. Each line read holds the variables of the
# processes to fork, which run the operator at the same time.
FORKING = """
import json, os, sys, tempfile, traceback
import mmengine.logging, torch._inductor.codecache
code, *words = sys.argv[1:]

def fork(variables, output):
    process = os.fork()
    if process == 0:
        status = 1
        try:
            os.dup2(output, 1)
            os.environ.clear()
            os.environ.update(variables)
            tempfile.tempdir = None
            exec(code, dict(words=words))
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return process

for line in sys.stdin:
    ends = [os.pipe() for _ in json.loads(line)]
    processes = [fork(each, end[1]) for each, end in zip(json.loads(line), ends)]
    statuses = [os.waitstatus_to_exitcode(os.waitpid(each, 0)[1]) for each in processes]
    for _, output in ends:
        os.close(output)
    print(json.dumps([statuses, [open(end).read().strip() for end, _ in ends]]), flush=True)
"""
# Compiles a function and prints where.
COMPILED = """
import os, effnet_dense, torch
compiled = torch.compile(lambda x: (x + 1).sin())
compiled(torch.ones(3))
print(os.environ['TORCHINDUCTOR_CACHE_DIR'])
"""
SOURCE = 'extern "C" void planted() {}\n'
PLANTED = """
#include <cstdlib>
#include <sys/stat.h>
extern "C" void planted() {{ mkdir("{canary}", 0700); }}
"""


@pytest.fixture
def place(tmp_path: Path) -> dict[str, str]:
    """Variables of a process with a home and a temporary folder of its own."""
    for name in ('home', 'tmp'):
        (tmp_path / name).mkdir()
    folders = dict(HOME=str(tmp_path / 'home'), TMPDIR=str(tmp_path / 'tmp'))
    variables = environment(**folders, **FASTER)
    for name in ('TORCHINDUCTOR_CACHE_DIR', 'XDG_CACHE_HOME', 'TRITON_CACHE_DIR'):
        variables.pop(name, None)
    return variables


Run = Callable[..., list[str]]


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Run the operator in processes with these variables; return what each of them printed."""
    source = tmp_path_factory.mktemp('source') / 'operator.cpp'
    source.write_text(SOURCE, encoding='utf-8')
    with subprocess.Popen(
        [sys.executable, '-c', FORKING, OPERATOR, str(source)],
        cwd=REPOSITORY,
        env=environment(**FASTER),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding='utf-8',
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        sent, answers = server.stdin, server.stdout

        def ask(*variables: dict[str, str]) -> list[str]:
            print(json.dumps(variables), file=sent, flush=True)
            statuses, printed = json.loads(answers.readline())
            assert not any(statuses), statuses
            return printed

        yield ask
        sent.close()


def replace_libraries(folder: Path, canary: Path) -> int:
    """Put a library that makes the canary in the place of every one in the folder."""
    found = list(folder.rglob('*.so'))
    planted = canary.with_name('planted.cpp')
    planted.write_text(PLANTED.format(canary=canary), encoding='utf-8')
    for library in found:
        subprocess.run(['g++', '-shared', '-fPIC', '-o', library, planted], check=True)
    return len(found)


def folder_of(variables: dict[str, str]) -> Path:
    return Path(variables['HOME'], '.cache', FOLDER)


@pytest.mark.compiler
@pytest.mark.slow
def test_a_planted_library_does_not_run(place: dict[str, str], run: Run, tmp_path: Path) -> None:
    """What stood in the shared temporary folder is not loaded, and ours is compiled once."""
    canary = tmp_path / 'canary'
    default = Path(place['TMPDIR'], f'torchinductor_{getpass.getuser()}')
    planted = str(tmp_path / 'planted')
    run({**place, 'TORCHINDUCTOR_CACHE_DIR': planted})
    assert replace_libraries(Path(planted), canary)
    shutil.copytree(planted, default)
    # torch passes its own default on to child processes.
    for given in ({}, {'TORCHINDUCTOR_CACHE_DIR': str(default)}):
        assert run({**place, **given}) == [str(folder_of(place) / 'inductor')]
        assert not canary.exists()
    assert stat.S_IMODE(folder_of(place).stat().st_mode) == 0o700
    # The library is a real one: it runs where the user asks for its folder.
    assert run({**place, 'TORCHINDUCTOR_CACHE_DIR': planted}) == [planted]
    assert canary.exists()


@pytest.mark.compiler
@pytest.mark.slow
def test_torch_compile_uses_the_same_folder(place: dict[str, str]) -> None:
    """Its precompiled headers as well, which torch keeps in its default folder."""
    used = run_python(COMPILED, variables={**place, HEADERS: '1'}).strip()
    assert used == str(folder_of(place) / 'inductor')
    assert list(Path(used).rglob('*.so')) and list(Path(used).rglob('*.h*'))
    assert not [path for path in Path(place['TMPDIR']).iterdir() if 'inductor' in path.name]


def test_the_folder_that_the_user_names(place: dict[str, str], tmp_path: Path) -> None:
    given = str(tmp_path / 'given')
    code = 'import effnet_dense, os, torch; print(os.environ["TORCHINDUCTOR_CACHE_DIR"])'
    own = {**place, 'TORCHINDUCTOR_CACHE_DIR': given}
    assert run_python(code, variables=own).strip() == given
    assert not [path for path in Path(place['TMPDIR']).iterdir() if 'inductor' in path.name]


FRESH = """
import atexit, os, sys, warnings
from pathlib import Path
from effnet_dense.utils.private_cache import VARIABLE, use_private_cache
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter('always')
    use_private_cache()
folder = Path(os.environ[VARIABLE])
folder.mkdir(parents=True, exist_ok=True)
(folder / 'library.so').touch()
if os.fork() == 0:
    sys.exit()  # with the parent's functions to call at exit
os.wait()
print(folder, oct(folder.parent.stat().st_mode)[-3:], (folder / 'library.so').exists())
print(*(str(warning.message) for warning in caught))
"""


def link(path: Path) -> None:
    target = path.with_name('target')
    target.mkdir(parents=True)
    path.symlink_to(target)


def writable(path: Path) -> None:
    path.mkdir(parents=True)
    path.chmod(0o777)


def group_writable(path: Path) -> None:
    path.mkdir(parents=True)
    path.chmod(0o770)


def foreign(path: Path) -> None:
    path.mkdir(parents=True)
    os.chown(path, 12345, 12345)


def foreign_parent(path: Path) -> None:
    path.mkdir(parents=True)
    os.chown(path.parent, 12345, 12345)


def writable_parent(path: Path) -> None:
    path.mkdir(parents=True)
    path.parent.chmod(0o777)


def file(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.touch()


def dangling(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.symlink_to(path.with_name('absent'))


def parent_is_file(path: Path) -> None:
    path.parent.touch()


PLACES = [
    *(link, writable, group_writable, foreign, foreign_parent, writable_parent, file, dangling),
    parent_is_file,
]


@pytest.mark.parametrize('prepare', PLACES, ids=lambda prepare: prepare.__name__)
def test_a_folder_of_others_is_not_used(prepare: object, place: dict[str, str]) -> None:
    if 'foreign' in prepare.__name__ and os.geteuid() != 0:
        pytest.skip('only root gives folders away')
    prepare(folder_of(place))
    used, mode, kept = check_fresh(place)
    assert Path(used).is_relative_to(place['TMPDIR'])
    assert (mode, kept) == ('700', 'True')
    assert not list(Path(place['TMPDIR']).iterdir()), 'removed at exit'


def check_fresh(variables: dict[str, str]) -> list[str]:
    """Folder, its mode and whether a fork left it alone, in a process that warns once."""
    first, warning = run_python(FRESH, variables=variables).splitlines()
    assert warning.startswith('compiled code is not kept for the next run: ')
    assert 'TORCHINDUCTOR_CACHE_DIR' in warning
    return first.split()


def test_without_a_home(place: dict[str, str]) -> None:
    used, *_ = check_fresh({**place, 'HOME': '/dev/null'})
    assert Path(used).is_relative_to(place['TMPDIR'])


def test_the_users_cache_folder(place: dict[str, str], tmp_path: Path) -> None:
    """`XDG_CACHE_HOME`, also by way of a link, as clusters have it; a relative one is none."""
    (tmp_path / 'scratch').mkdir()
    (tmp_path / 'link').symlink_to(tmp_path / 'scratch')
    for given, expected in (
        (str(tmp_path / 'link'), tmp_path / 'scratch' / FOLDER),
        ('relative', folder_of(place)),
        ('', folder_of(place)),
    ):
        variables = {**place, 'XDG_CACHE_HOME': given}
        first, warning = run_python(FRESH, variables=variables).splitlines()
        assert first.split() == [str(expected / 'inductor'), '700', 'True']
        assert warning == ''
        assert (expected / 'inductor' / 'library.so').exists()


def test_a_folder_that_others_can_only_read_becomes_private(place: dict[str, str]) -> None:
    folder_of(place).mkdir(parents=True)
    folder_of(place).chmod(0o755)
    assert run_python(FRESH, variables=place).split()[:2] == [
        str(folder_of(place) / 'inductor'),
        '700',
    ]


@pytest.mark.compiler
@pytest.mark.slow
def test_several_processes_at_once(place: dict[str, str], run: Run) -> None:
    assert run(*[place] * 3) == [str(folder_of(place) / 'inductor')] * 3
    names = [path.name for path in folder_of(place).rglob('*.so')]
    assert names and len(names) == len({*names})
