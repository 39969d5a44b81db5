"""Every command of the pages about tasks runs, in their order, on data of a few small images."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from effnet_dense.commands.main import main
from tests.helpers import documents, panoptic_data, resumable, tiny

PAGES = documents.ROOT / 'docs' / 'tasks'
# Each page's training is as short and small as its networks allow: what comes last counts.
SMALL = {
    'detection': '--epochs 1 --image-size 64 --batch-size 2',
    'instances': '--epochs 1 --image-size 64 --batch-size 2',
    'semantic': '--iterations 2 --image-size 64 --batch-size 2',
    'panoptic': '--epochs 1 --image-size 64 --batch-size 1',
}
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current folder with more_images/, in which configs' texts are not formatted."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'more_images').mkdir()
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / 'more_images' / 'a.png'), image)
    patch = resumable.plain_config_text()
    yield tmp_path
    patch.undo()


def write_label_maps(root: Path) -> None:
    """Four images and two for validation; the left half is road, the right one car."""
    labels = np.zeros((64, 64), np.uint8)
    labels[:, 32:] = 1
    for part, count in (('train', 4), ('val', 2)):
        for kind in ('images', 'labels'):
            (root / kind / part).mkdir(parents=True)
        for number in range(count):
            image = np.repeat(labels[..., None] * 200, 3, 2)
            cv2.imwrite(str(root / 'images' / part / f'{number}.png'), image)
            cv2.imwrite(str(root / 'labels' / part / f'{number}.png'), labels)
    (root / 'classes.json').write_text('{"classes": ["road", "car"]}', encoding='utf-8')


@pytest.mark.parametrize('page', sorted(SMALL))
def test_every_command_runs(page: str, folder: Path) -> None:
    options: list[str] = []
    if page == 'semantic':
        write_label_maps(folder / 'my_folder')
    elif page == 'panoptic':
        panoptic_data.write_panoptic(folder / 'coco')
        values = panoptic_data.in_place_of_coco(folder / 'coco')
        options = ['--cfg-options', *(f'{key}={value}' for key, value in values.items())]
    else:
        tiny.write_data(folder / 'my_folder')
    commands = [c for c in documents.commands(PAGES / f'{page}.md') if c[0] == 'effnet-dense']
    assert len(commands) >= 3
    for _, name, *words in commands:
        more = []
        if name == 'train':
            more = [*SMALL[page].split(), '--weights', 'none', '--workers', '0', *options]
        elif name in ('test', 'browse'):
            more = ['--workers', '0'] if name == 'test' else []
        assert main([name, *words, *more]) == 0, f'{name} {words}'
    assert any((folder / 'found').rglob('*.png'))
    assert any((folder / 'work_dirs').glob('*/best.pth'))
    shutil.rmtree(folder / 'work_dirs')


def test_every_page_is_run() -> None:
    assert {path.stem for path in PAGES.glob('*.md')} == set(SMALL)
