"""One bad file never ends a prediction run, and is found before a training."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import mmcv
import numpy as np
import pytest

from effnet_dense.data.coco import CocoSplit, check_coco, clean_coco
from effnet_dense.data.image_errors import BadImageError
from effnet_dense.data.resizing import becomes_empty, smallest_scale
from effnet_dense.data.skipping import SkipBad
from effnet_dense.data.transforms import LoadImageFromFile
from effnet_dense.engine import PicturesHook
from effnet_dense.engine.hooks.label_maps import LabelMapsHook
from effnet_dense.inference import Predictor, infer
from effnet_dense.inference.inputs import find_inputs
from tests.helpers.coco_folder import tiny_coco, write_json
from tests.helpers.hostile_files import (
    LONG,
    NOISE,
    PNG,
    bomb,
    write_bad,
    write_good,
    write_video,
)
from tests.helpers.tiny_models import detector, saved, segmentor
from tests.helpers.tool import call


@pytest.fixture(autouse=True)
def _quiet(quiet_loggers: None) -> None:
    """Every skipped file is logged."""


@pytest.fixture(scope='module')
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the tiny detector."""
    return saved(detector(), tmp_path_factory.mktemp('weights') / 'd.pth')


@pytest.fixture(scope='module')
def detecting(weights: Path) -> Predictor:
    """A detector of three classes."""
    return Predictor(detector(), weights, 'cpu')


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / 'in'
    folder.mkdir()
    return folder


def listed(out: Path) -> list[str]:
    """The images in images.json, which any JSON parser can read."""
    content = json.loads((out / 'images.json').read_text(encoding='utf-8'))
    names = [image['file_name'] for image in content['images']]
    assert all(name.encode() for name in names)  # no lone surrogates
    predictions = json.loads((out / 'predictions.json').read_text(encoding='utf-8'))
    known = {image['id'] for image in content['images']}
    assert {entry['image_id'] for entry in predictions} == known
    return names


def test_every_bad_file_is_named_and_the_others_are_predicted_on(
    detecting: Predictor, images: Path, tmp_path: Path
) -> None:
    good, bad = write_good(images), write_bad(images)
    write_video(images / os.fsdecode(b'vid\xe9o.mp4'))
    out = tmp_path / 'out'
    skipped = infer(detecting, [images], out, batch_size=4)
    assert len(skipped) == len(bad)
    for name in bad:
        assert sum(f'/{name}' in line for line in skipped) == 1, name
    assert all(line.isprintable() for line in skipped)
    names = listed(out)
    assert len(names) == len(set(names)) == len(good) + 3
    assert {'a.png', f'{LONG}.jpg', 'grey.pgm', 'caf%E9.png', 'vid%E9o/000002'} <= set(names)
    drawn = [path for path in (out / 'pictures').iterdir() if not path.name.startswith('.')]
    assert len(drawn) == len(good) + 1 and (out / 'pictures' / f'{LONG}.png').is_file()
    assert not list(out.rglob('.part-*'))


def test_bad_files_do_not_change_the_results_of_others(
    detecting: Predictor, images: Path, tmp_path: Path
) -> None:
    for number, side in enumerate((48, 20, 30, 44)):
        cv2.imwrite(str(images / f'{number}.png'), NOISE[:side, :side])
    infer(detecting, [images], tmp_path / 'before', batch_size=2)
    cv2.imwrite(str(images / '1-thin.png'), np.zeros((1, 999, 3), np.uint8))
    (images / '0-cut.png').write_bytes(b'no')
    assert len(infer(detecting, [images], tmp_path / 'after', batch_size=2)) == 2
    before, after = (
        (tmp_path / name / 'predictions.json').read_text(encoding='utf-8')
        for name in ('before', 'after')
    )
    assert before == after


def test_an_image_on_which_the_model_fails(
    detecting: Predictor, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in 'abc':
        (images / f'{name}.png').write_bytes(PNG)
    cv2.imwrite(str(images / 'bb.png'), NOISE[:20])
    predict = detecting.predict_prepared

    def scarce(batch: Any) -> Any:
        if any(item['data_samples'].ori_shape == (20, 64) for item in batch):
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return predict(batch)

    monkeypatch.setattr(detecting, 'predict_prepared', scarce)
    (line,) = infer(detecting, [images], tmp_path / 'out', batch_size=4)
    assert 'bb.png' in line and 'memory' in line
    assert listed(tmp_path / 'out') == ['a.png', 'b.png', 'c.png']


def test_a_file_that_vanishes_or_is_locked(
    detecting: Predictor, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in 'abc':
        (images / f'{name}.png').write_bytes(PNG)
    prepare = detecting.prepare

    def prepare_first(image: Any) -> Any:
        (images / 'b.png').unlink(missing_ok=True)
        return prepare(image)

    def stat(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        if str(path).endswith('c.png'):
            raise PermissionError(errno.EACCES, 'Permission denied', str(path))
        return original(path, *args, **kwargs)

    original = os.stat
    monkeypatch.setattr(detecting, 'prepare', prepare_first)
    monkeypatch.setattr('effnet_dense.utils.regular_files.os.stat', stat)
    vanished, locked = infer(detecting, [images], tmp_path / 'out')
    monkeypatch.undo()
    assert 'b.png' in vanished and 'c.png' in locked
    assert listed(tmp_path / 'out') == ['a.png']


def test_sources_of_a_shell_pattern(images: Path, tmp_path: Path) -> None:
    """`infer.py in/*`: links to nothing and empty folders are no reason to end."""
    (images / 'a.png').write_bytes(PNG)
    (images / 'dangling.png').symlink_to('nowhere')
    (images / 'empty').mkdir()
    lines: list[str] = []
    found = find_inputs(sorted(images.iterdir()), tmp_path / 'out', lines.append)
    assert [item.name for item in found] == ['a.png', 'dangling.png']
    assert len(lines) == 1 and 'empty has no images' in lines[0]


def test_a_folder_that_cannot_be_listed(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (images / 'a.png').write_bytes(PNG)
    (images / 'locked').mkdir()
    original = os.scandir

    def scandir(path: Any) -> Any:
        if str(path).endswith('locked'):
            raise PermissionError(errno.EACCES, 'Permission denied', str(path))
        return original(path)

    monkeypatch.setattr(os, 'scandir', scandir)
    lines: list[str] = []
    found = find_inputs([images], tmp_path / 'out', lines.append)
    assert len(found) == 1 and lines == [f'cannot list {images / "locked"}: Permission denied']


def test_a_small_disk_is_not_filled_by_the_reserve(
    detecting: Predictor, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (images / 'a.png').write_bytes(PNG)
    kept: list[int] = []
    write = Path.write_bytes

    def write_bytes(path: Path, content: Any) -> int:
        if path.name == '.part-reserve':
            kept.append(len(content))
            write(path, content[:9])
            raise OSError(errno.ENOSPC, 'No space left on device')
        assert not path.with_name('.part-reserve').exists()
        return write(path, content)

    usage = shutil.disk_usage(tmp_path)._replace(free=700_000)
    monkeypatch.setattr('effnet_dense.inference.results.shutil.disk_usage', lambda path: usage)
    monkeypatch.setattr(Path, 'write_bytes', write_bytes)
    assert infer(detecting, [images], tmp_path / 'out') == [] and kept == [43_750]


class Records(list[dict[str, str]]):
    """A dataset of records."""

    get_data_info = list.__getitem__


class FullDisk:
    """Fails from the fourth write on, of which a part fits."""

    def __init__(self) -> None:
        self.writes = 0

    def check(self) -> None:
        self.writes += 1
        if self.writes > 3:
            raise OSError(errno.ENOSPC, 'No space left on device')


def test_a_full_disk_at_a_drawing(
    detecting: Predictor, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, write = FullDisk(), Path.write_bytes

    def write_bytes(path: Path, content: Any) -> int:
        if 'pictures' in str(path):
            disk.check()
        return write(path, content)

    monkeypatch.setattr(Path, 'write_bytes', write_bytes)
    expect_readable_lists(detecting, images, tmp_path / 'out', 4)


def test_a_full_disk_at_a_list(
    detecting: Predictor, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, reserve = FullDisk(), tmp_path / 'out' / '.part-reserve'

    class File(io.FileIO):
        def write(self, content: Any) -> int:
            if reserve.exists():
                if disk.writes == 3:
                    super().write(content[:7])
                disk.check()
            return super().write(content)

    monkeypatch.setattr('effnet_dense.inference.json_list.FileIO', File)
    expect_readable_lists(detecting, images, tmp_path / 'out', 3)


def expect_readable_lists(detecting: Predictor, images: Path, out: Path, count: int) -> None:
    """Run on six images, and expect one sentence and lists of the first ones."""
    for number in range(6):
        (images / f'{number}.png').write_bytes(PNG)
    with pytest.raises(OSError, match=f'JSON files .* of the {count} images and frames') as caught:
        infer(detecting, [images], out)
    assert caught.value.errno == errno.ENOSPC and '\n' not in str(caught.value)
    assert listed(out) == [f'{number}.png' for number in range(count)]
    assert not list(out.rglob('.part-*'))


def test_label_maps_of_difficult_names(images: Path, tmp_path: Path) -> None:
    predictor = Predictor(segmentor(), saved(segmentor(), tmp_path / 's.pth'), 'cpu')
    good = write_good(images)
    assert infer(predictor, [images], tmp_path / 'out') == []
    maps = [path.name for path in (tmp_path / 'out' / 'labels').glob('*.png')]
    assert len(maps) == len(good) and all(len(os.fsencode(name)) <= 255 for name in maps)


def test_the_tool_finishes_with_the_documented_status(
    weights: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detector().dump(tmp_path / 'config.py')
    (images / 'a.png').write_bytes(PNG)
    bad = write_bad(images)
    out = tmp_path / 'out'
    words = [tmp_path / 'config.py', weights, images, '--out', out, '--device', 'cpu']
    assert call('infer', *words) == 2
    assert f'error: {len(bad)} files skipped; what was predicted is' in capsys.readouterr().err
    assert listed(out) == ['a.png']


@pytest.mark.parametrize('kind', ['pipe', 'bomb', 'dangling', 'folder', 'narrow', 'zero', 'device'])
def test_the_check_names_the_image(kind: str, tmp_path: Path) -> None:
    data = tiny_coco()
    folder = tmp_path / 'images'
    folder.mkdir()
    path = folder / 'a.png'
    (folder / 'b.png').write_bytes(cv2.imencode('.png', np.zeros((60, 80, 3), np.uint8))[1])
    if kind == 'narrow':
        cv2.imwrite(str(path), np.zeros((2, 3000, 3), np.uint8))
        data['images'][0].update(width=3000, height=2)
    else:
        {
            'pipe': lambda: os.mkfifo(path),
            'bomb': lambda: path.write_bytes(bomb()),
            'dangling': lambda: path.symlink_to('nowhere'),
            'folder': path.mkdir,
            'zero': lambda: path.write_bytes(b''),
            'device': lambda: path.symlink_to('/dev/zero'),
        }[kind]()
    split = CocoSplit(write_json(data, tmp_path / 'a.json'), folder)
    (error,) = check_coco(split, scale=(320.0, 320.0)).errors
    assert any('a.png' in example for example in error.examples)
    for evaluated in (True, False):
        clean = clean_coco('x', split, SkipBad(tmp_path), False, evaluated, (320.0, 320.0))
        assert [record.name for record in clean.left_out_images] == ['a.png']
        assert [
            image['id']
            for image in json.loads(clean.split.ann_file.read_text(encoding='utf-8'))['images']
        ]


@pytest.mark.parametrize('name', ['pipe.jpg', 'endless.jpg', 'socket.png', 'folder.jpg'])
def test_the_loader_refuses_what_is_no_file(name: str, images: Path) -> None:
    write_bad(images)
    with pytest.raises(BadImageError, match='not a regular file'):
        LoadImageFromFile()({'img_path': str(images / name)})


def test_drawings_of_tests_have_portable_names(images: Path, tmp_path: Path) -> None:
    paths = [str(images / name) for name in write_good(images)]
    records = [{'img_path': path} for path in paths]
    runner: Any = SimpleNamespace(test_dataloader=SimpleNamespace(dataset=Records(records)))
    for hook in (PicturesHook(tmp_path / 'p'), LabelMapsHook(tmp_path / 'l')):
        hook.before_test(runner)
        assert len(set(hook.names.values())) == len(paths) and list(hook.names) == paths
        assert all(len(name.encode()) <= 255 for name in hook.names.values())


@pytest.mark.parametrize(
    ('steps', 'scale'),
    [
        ([dict(type='Resize', scale=(1333, 800), keep_ratio=True)], (1333, 800)),
        ([dict(type='mmdet.Resize', scale=(320, 320), keep_ratio=False)], None),
        (
            [
                dict(type='RandomResize', scale=(512, 512), ratio_range=(0.1, 2), keep_ratio=True),
                dict(type='RandomCrop', crop_size=(512, 512)),
            ],
            (51.2, 51.2),
        ),
        (
            [dict(type='RandomChoiceResize', scales=[(640, 480), (320, 9)], keep_ratio=True)],
            (320, 9),
        ),
        ([dict(type='Resize', scale=(400, 300), keep_ratio=True)] * 2, (400, 300)),
        ([], None),
    ],
)
def test_the_smallest_scale_of_a_pipeline(steps: list[Any], scale: Any) -> None:
    found = smallest_scale(steps)
    assert found == (None if scale is None else pytest.approx(scale))
    assert not becomes_empty(640, 480, found)
    assert becomes_empty(3000, 1, found) == (scale is not None)


@pytest.mark.parametrize('width', [1, 2, 3, 30, 2999, 3000, 6000])
@pytest.mark.parametrize('height', [1, 2, 3, 5])
def test_empty_images_are_those_that_mmcv_cannot_resize(width: int, height: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    for scale in ((1333, 800), (320, 320), (33, 33)):
        try:
            empty = 0 in mmcv.imrescale(image, scale).shape
        except cv2.error:
            empty = True
        assert becomes_empty(width, height, scale) == empty, scale


def test_a_video_that_ends_early_is_named(
    detecting: Predictor, images: Path, tmp_path: Path
) -> None:
    path = images / 'cut.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 5, (64, 64))
    draw = np.random.default_rng(0)
    for _ in range(12):
        writer.write(draw.integers(0, 256, (64, 64, 3), np.uint8))
    writer.release()
    assert infer(detecting, [path], tmp_path / 'whole') == []
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    skipped = infer(detecting, [path], tmp_path / 'cut')
    assert len(skipped) == 1 and 'of its 12 frames' in skipped[0]
    assert 0 < len(listed(tmp_path / 'cut')) < 12
