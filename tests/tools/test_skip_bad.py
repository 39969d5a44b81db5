"""A dataset with 5 % of damaged images and annotations of every kind trains to its end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from effnet_dense.data import make_demo
from tests.helpers.tiny import as_arguments, narrow_retinanet, options
from tests.helpers.tool import call

FINETUNE = 'configs/effnet_lite0_retinanet_finetune.py'
TRAIN = 120


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-600])


def resize(path: Path) -> None:
    cv2.imwrite(str(path), cv2.imread(str(path))[:-9])


DAMAGE: dict[int, Callable[[Path], Any]] = {
    3: lambda path: path.unlink(),
    20: lambda path: path.write_bytes(b''),
    41: lambda path: path.write_text('<html>404</html>', encoding='utf-8'),
    60: resize,
    61: truncate,
    119: truncate,  # the last one: the first takes its place
}
"""Number of the image in train → the damage done to it, 5 % of them."""
WHILE_TRAINING = (61, 119)


def unusual(folder: Path) -> None:
    """Pictures of kinds that must be read: grey, 16 bits, CMYK, a palette, alpha, EXIF."""
    paths = [folder / f'train_{number:04d}.jpg' for number in range(70, 76)]
    images = [Image.open(path).copy() for path in paths]
    images[0].convert('L').save(paths[0])
    deep = np.asarray(images[1].convert('L')).astype(np.uint16) * 257
    paths[1].write_bytes(cv2.imencode('.png', deep)[1].tobytes())
    images[2].convert('CMYK').save(paths[2])
    images[3].quantize(64).save(paths[3], format='png')
    images[4].putalpha(9)
    images[4].save(paths[4], format='png')
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down: the size stays
    images[5].save(paths[5], exif=exif)


def break_annotations(annotations: list[dict[str, Any]]) -> list[str]:
    """Break 5 % of them, each in one of ten ways.

    Returns:
        The names in the list that is expected: without what can be derived from masks, and ids.
    """
    breakages: list[dict[str, Any]] = [
        {'bbox': None},
        {'bbox': [1, 2, 3]},
        {'bbox': [5, 5, -4, 4]},
        {'bbox': [5, 5, 0.2, 9]},
        {'bbox': [9999, 5, 20, 20]},
        {'area': float('nan')},
        {'area': 0},
        {'category_id': 77},
        {'image_id': 12345},
        {'id': annotations[0]['id']},
    ]
    lost = [breakages[number] for number in (3, 4, 7, 8)]
    names = []
    bad_images = {number + 1 for number in DAMAGE}
    usable = [a for a in annotations[1:] if a['image_id'] not in bad_images]
    for number in range(len(annotations) // 20):
        record = usable[7 * number]
        record.update(breakages[number % len(breakages)])
        if breakages[number % len(breakages)] in lost:
            names.append(f'id {record["id"]} (image {record["image_id"]})')
    return sorted(names)


@pytest.fixture(scope='module')
def damaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The demo's dataset, damaged; and the broken annotations' names."""
    folder = make_demo(tmp_path_factory.mktemp('demo') / 'demo', train=TRAIN, val=20)
    for number, damage in DAMAGE.items():
        damage(folder / 'images' / 'train' / f'train_{number:04d}.jpg')
    truncate(folder / 'images' / 'val' / 'val_0007.jpg')
    unusual(folder / 'images' / 'train')
    ann_file = folder / 'annotations' / 'train.json'
    content = json.loads(ann_file.read_text(encoding='utf-8'))
    names = break_annotations(content['annotations'])
    ann_file.write_text(json.dumps(content), encoding='utf-8')
    return folder, names


def arguments(data: Path, work_dir: Path, **changes: Any) -> list[object]:
    values = {
        **options(epochs=2, batch=8),
        **narrow_retinanet(16),
        'train_cfg.val_interval': 2,
        **changes,
    }
    values['train_dataloader.num_workers'] = 2
    return [FINETUNE, '--data', data, '--work-dir', work_dir, *as_arguments(values)]


def names(path: Path, what: str) -> list[str]:
    return sorted(record['name'] for record in json.loads(path.read_text(encoding='utf-8'))[what])


def images(numbers: Any) -> list[str]:
    return [f'train_{number:04d}.jpg' for number in numbers]


@pytest.mark.slow
def test_trains_to_its_end_and_lists_exactly(
    damaged: tuple[Path, list[str]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data, broken = damaged
    assert len(DAMAGE) == TRAIN // 20
    assert len(broken) >= 10, 'every way to break one'
    assert call('train', *arguments(data, tmp_path), '--skip-bad') == 0
    assert names(tmp_path / 'skipped_train.json', 'annotations') == broken
    before = sorted(set(DAMAGE) - set(WHILE_TRAINING))
    assert names(tmp_path / 'skipped_train.json', 'images') == images(before)
    assert names(tmp_path / 'skipped_val.json', 'images') == ['val_0007.jpg']
    met = json.loads((tmp_path / 'skipped_images.json').read_text(encoding='utf-8'))
    assert [Path(name).name for name in met] == images(WHILE_TRAINING)
    assert all('ends early' in why for why in met.values())
    log = max(tmp_path.glob('*/*.log')).read_text(encoding='utf-8')
    assert log.count('2 images cannot be read and were replaced by others: ') == 2  # epochs
    assert 'evaluated on 19 of 20 images' in log
    assert 'left out of train: 4 of 120 images' in capfd.readouterr().out


def test_is_refused_without_being_asked(
    damaged: tuple[Path, list[str]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call('train', *arguments(damaged[0], tmp_path)) == 2
    error = capfd.readouterr().err
    assert 'cannot be used' in error and '--skip-bad' in error


@pytest.mark.slow
def test_too_many_stop_the_training_with_the_list(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], tiny_data: Path
) -> None:
    data = shutil.copytree(tiny_data, tmp_path / 'data')
    for name in ('1.png', '2.png'):
        path = data / 'images' / 'train' / name
        path.write_bytes(cv2.imencode('.jpg', cv2.imread(str(path)))[1].tobytes()[:-99])
    words = arguments(data, tmp_path / 'run', **{'train_dataloader.batch_size': 2})
    assert call('train', *words, '--skip-bad') == 2
    error = capfd.readouterr().err
    assert '2 of 4 images cannot be read, --skip-bad leaves out at most 1 (5%)' in error
    assert '1.png' in error and '2.png' in error
    assert call('train', *words, '--skip-bad', '0.5') == 0
