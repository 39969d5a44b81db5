"""`--skip-bad` for label maps: faulty pairs are left out, listed and limited."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from effnet_dense.data import LabelSource, find_labels
from effnet_dense.data.label_maps.pairs import find_pairs
from effnet_dense.data.skipping import SkipBad
from effnet_dense.engine.config import load_config
from tests.helpers.label_folder import label, write_classes, write_label, write_pair
from tests.helpers.tiny_models import SEGMENTOR

COUNT = 12


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Twelve images with label maps to train on, and as many to evaluate."""
    folder = tmp_path / 'set'
    write_classes(folder, {'classes': ['a', 'b'], 'ignore': 9})
    for part in ('train', 'val'):
        for number in range(COUNT):
            write_pair(folder, part, f'{number:02}.jpg', label(0, 1))
    return folder


def found(root: Path, limit: float = 0.5) -> LabelSource:
    skip = SkipBad(root.parent / 'run', limit)
    skip.folder.mkdir(exist_ok=True)
    return find_labels(root, skip=skip)


def damage(root: Path, part: str) -> list[str]:
    """Damage seven images or their label maps; their names."""
    images, labels = root / 'images' / part, root / 'labels' / part
    (labels / '00.png').write_bytes(b'')
    (labels / '01.png').write_bytes((labels / '01.png').read_bytes()[:45])
    write_label(labels / '02.png', label(0, 7))
    write_label(labels / '03.png', label(0, 1)[:3])
    (labels / '04.png').unlink()
    (images / '05.jpg').write_bytes(b'no image')
    cv2.imwrite(
        str(labels / '06.png'), np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)
    )
    return [f'{number:02}.jpg' for number in range(7)]


@pytest.mark.parametrize('part', ['train', 'val'])
def test_faulty_pairs_are_left_out_and_listed(root: Path, part: str) -> None:
    names = damage(root, part)
    with pytest.raises((ValueError, FileNotFoundError), match='cannot be used'):
        find_labels(root)
    source = found(root, 0.6)
    kept = [pair.image.name for pair in find_pairs(source.splits[part])]
    assert kept == [f'{number:02}.jpg' for number in range(7, COUNT)]
    listed = json.loads((root.parent / f'run/skipped_{part}.json').read_text(encoding='utf-8'))
    assert [record['name'] for record in listed['images']] == names
    assert all(record['why'] for record in listed['images'])
    assert f'left out of {part}: 7 of 12 images' in source.summary()
    other = {'train': 'val', 'val': 'train'}[part]
    assert source.splits[other].list_file is None


def test_more_than_the_limit_is_an_error(root: Path) -> None:
    damage(root, 'train')
    with pytest.raises(ValueError, match=r'7 of 12 images .* at most 6 \(50%\):\n  00\.jpg: '):
        found(root)


def test_images_are_decoded_before_an_evaluation(root: Path) -> None:
    for part in ('train', 'val'):
        path = root / 'images' / part / '03.jpg'
        cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8))
        path.write_bytes(path.read_bytes()[:-20])
        write_label(root / 'labels' / part / '03.png', np.zeros((60, 80), np.uint8))
    source = found(root)
    assert len(find_pairs(source.splits['train'])) == COUNT, 'replaced when it is trained on'
    assert len(find_pairs(source.splits['val'])) == COUNT - 1
    assert 'ends early' in source.cleaned['val'].left_out_images[0].why


def test_a_config_gets_the_pairs_that_are_left(root: Path, tmp_path: Path) -> None:
    damage(root, 'val')
    config = load_config(SEGMENTOR, root, work_dir=tmp_path / 'work', skip_bad=0.6)
    assert config.val_dataloader.dataset.ann_file == str(tmp_path / 'work' / 'val_images.txt')
    assert 'ann_file' not in config.train_dataloader.dataset
    assert config.custom_hooks[-1].evaluated == COUNT and config.custom_hooks[-1].left_out == 7
