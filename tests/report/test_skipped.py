"""The section of skipped images shows what `--skip-bad` has really written."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from effnet_dense.data.coco import CocoSplit, clean_coco
from effnet_dense.data.skipping import SkipBad
from effnet_dense.data.transforms import LoadImageFromFile
from effnet_dense.engine import SkipBadHook
from effnet_dense.report.skipped import skipped_sections
from tests.helpers.coco_folder import tiny_coco, write_folder


class Images:
    """A dataset that only loads its images."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def prepare_data(self, index: int) -> Any:
        return LoadImageFromFile()({'img_path': str(self.paths[index])})


def rows_of(work_dir: Path) -> list[tuple[str, str, str]]:
    """The table of the only section."""
    (section,) = skipped_sections(work_dir)
    (table,) = section.tables
    return [(str(part), str(name), str(why)) for part, name, why in table.rows]


def clean(folder: Path, name: str, work_dir: Path) -> None:
    """Run what a training or a test with `--skip-bad` runs before it starts."""
    split = CocoSplit(folder / 'annotations' / f'{name}.json', folder / 'images' / name)
    clean_coco(name, split, SkipBad(work_dir, 0.5), evaluated=name == 'val')


def test_images_and_annotations_of_both_splits(tmp_path: Path) -> None:
    train = tiny_coco()
    train['annotations'][0]['bbox'] = [4, 4, 0, 20]
    folder = write_folder(tmp_path / 'data', train=train)
    (folder / 'images' / 'val' / 'b.png').write_bytes(b'no image')
    for name in ('train', 'val'):
        clean(folder, name, tmp_path / 'run')
    (training, validation) = rows_of(tmp_path / 'run')
    assert training[:2] == ('training', 'id 1 (image 12)') and training[2]
    assert validation[0] == 'validation' and validation[1].endswith('b.png') and validation[2]


def test_images_that_a_training_replaced(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ('0.png', '1.png')]
    cv2.imwrite(str(paths[0]), np.zeros((4, 4, 3), np.uint8))
    paths[1].write_bytes(b'no image')
    dataset = Images(paths)
    runner: Any = SimpleNamespace(
        work_dir=str(tmp_path), _resume=False, train_dataloader=SimpleNamespace(dataset=dataset)
    )
    hook = SkipBadHook(limit=0.5)
    hook.before_train(runner)
    assert skipped_sections(tmp_path) == [], 'no image was read yet'
    assert dataset.prepare_data(1)['img'].shape == (4, 4, 3)
    hook.after_train_iter(runner, 0)
    ((part, name, why),) = rows_of(tmp_path)
    assert (part, name) == ('training, while it ran', str(paths[1]))
    assert 'cannot decode' in why


def test_nothing_was_skipped(tmp_path: Path) -> None:
    clean(write_folder(tmp_path / 'data'), 'train', tmp_path / 'run')
    assert (tmp_path / 'run' / 'skipped_train.json').is_file()
    assert skipped_sections(tmp_path / 'run') == []
    (tmp_path / 'run' / 'skipped_train.json').write_text('{', encoding='utf-8')
    with pytest.raises(ValueError, match=r'skipped_train\.json is not JSON'):
        skipped_sections(tmp_path / 'run')
