"""Whatever tools run in whatever order: each file that the package did not write has its bytes."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from effnet_dense.engine.browse import browse
from effnet_dense.engine.config import load_config
from effnet_dense.inference import Predictor, infer
from effnet_dense.report import write_page
from tests.helpers.tiny import CLASSES, write_data
from tests.helpers.tiny_models import DETECTOR, SMALL, detector, saved
from tests.helpers.tool import call

Tool = Callable[[Path], Any]


@pytest.fixture(autouse=True)
def _quiet(quiet_loggers: None) -> None:
    """Every tool makes loggers."""


@pytest.fixture(scope='module')
def tools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tool]:
    """Runs of tools, each with all its outputs in one folder."""
    root = tmp_path_factory.mktemp('tools')
    data = write_data(root / 'data')
    weights = saved(detector(), root / 'weights.pth', CLASSES)
    predictor = Predictor(detector(), weights, 'cpu')
    images = data / 'images' / 'val'

    def test(folder: Path) -> None:
        words = ['--data', data, '--work-dir', folder, '--out', folder / 'found.pkl', '--skip-bad']
        call('test', DETECTOR, weights, *words, *SMALL)

    def train(folder: Path) -> None:
        words = ['--data', data, '--work-dir', folder, '--skip-bad']
        call('train', DETECTOR, *words, *SMALL, 'train_cfg.val_interval=1')

    return {
        'browse': lambda folder: browse(load_config(DETECTOR, data), folder / 'browse', 2),
        'infer': lambda folder: infer(predictor, [images], folder),
        'report': write_page,
        'test': test,
        'train': train,
    }


@pytest.fixture(scope='module')
def names(tools: dict[str, Tool], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names of everything that the tools write, apart from folders named by the time."""
    folder = tmp_path_factory.mktemp('clean')
    for name in ('train', 'test', 'infer', 'browse', 'report'):
        tools[name](folder)
    found = [path.relative_to(folder) for path in folder.rglob('*') if path.is_file()]
    return sorted(path.as_posix() for path in found if not path.parts[0].startswith('20'))


def plant(folder: Path, names: list[str], draw: random.Random) -> dict[Path, bytes]:
    """Write files of the user's, most of them under names that tools write, and edit results."""
    others = ['report/thesis.tex', 'pictures/holiday.jpg', 'browse/notes/a.txt', 'epoch_9.pth']
    planted = {}
    for name in draw.sample(names, draw.randrange(1, 4)) + draw.sample(others, 2):
        path = folder / name
        if not path.exists() or not path.name.startswith('.'):
            path.parent.mkdir(parents=True, exist_ok=True)
            planted[path] = f'{name} {draw.random()}'.encode()
            path.unlink(missing_ok=True)  # it may have another name in a backup
            path.write_bytes(planted[path])
    return planted


def back_up(folder: Path, backup: Path) -> dict[Path, bytes]:
    """Link all files of a folder into another one, as `cp -al` does."""
    shutil.copytree(folder, backup, copy_function=os.link)
    return {path: path.read_bytes() for path in backup.rglob('*') if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize('seed', range(3))
def test_foreign_files_keep_their_bytes(
    seed: int, tools: dict[str, Tool], names: list[str], tmp_path: Path
) -> None:
    draw, foreign = random.Random(seed), {}
    (tmp_path / 'work').mkdir()
    assert {'epoch_1.pth', 'report/index.html', 'predictions.json', 'found.pkl'} <= set(names)
    for number in range(5):
        foreign |= back_up(tmp_path / 'work', tmp_path / f'backup{number}') if number else {}
        tool = draw.choice(sorted(tools))
        if draw.random() < 0.7:
            foreign |= plant(tmp_path / 'work', names, draw)
        with contextlib.suppress(OSError, ValueError):  # refused
            tools[tool](tmp_path / 'work')
        assert {path: path.read_bytes() for path in foreign} == foreign, tool


@pytest.mark.slow
@pytest.mark.parametrize('name', ['infer', 'test', 'train'])
def test_each_name_alone(
    name: str, tools: dict[str, Tool], names: list[str], tmp_path: Path
) -> None:
    """A tool that is refused because of one file leaves each of the others, too."""
    folder = tmp_path / name
    foreign = {folder / each: each.encode() for each in names}
    for path, content in foreign.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with contextlib.suppress(OSError, ValueError):
        tools[name](folder)
    assert {path: path.read_bytes() for path in foreign} == foreign
    shutil.rmtree(folder)
