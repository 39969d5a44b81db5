"""No output replaces a file that a run reads, or one that the package did not write."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from effnet_dense.data import make_demo
from effnet_dense.inference import Predictor, infer
from tests.helpers.foreign import FOREIGN, content, foreign
from tests.helpers.label_folder import CLASSES as STRIPES
from tests.helpers.label_folder import label, write_folder, write_image, write_label
from tests.helpers.tiny import CLASSES as SQUARES
from tests.helpers.tiny import write_data
from tests.helpers.tiny_models import DETECTOR, SEGMENTOR, SMALL, detector, saved, segmentor
from tests.helpers.tool import call


@pytest.fixture(autouse=True)
def _quiet(quiet_loggers: None) -> None:
    """Every tool makes loggers."""


@pytest.fixture(scope='module')
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny detector with random weights."""
    return saved(detector(), tmp_path_factory.mktemp('weights') / 'epoch_1.pth', SQUARES)


@pytest.fixture(scope='module')
def detecting(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A predictor of boxes."""
    path = saved(detector(), tmp_path_factory.mktemp('detector') / 'epoch_1.pth')
    return Predictor(detector(), path, 'cpu')


@pytest.fixture(scope='module')
def segmenting(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A predictor of label maps."""
    path = saved(segmentor(), tmp_path_factory.mktemp('segmentor') / 'iter_1.pth')
    return Predictor(segmentor(), path, 'cpu')


@pytest.fixture
def data(tiny_data: Path, tmp_path: Path) -> Path:
    """A copy of the tiny data."""
    return shutil.copytree(tiny_data, tmp_path / 'data')


def evaluate(weights: Path, data: Path, work_dir: Path, *words: object) -> int:
    """Run tools/test.py on the tiny detector."""
    first = [DETECTOR, weights, '--data', data, '--work-dir', work_dir, *words]
    return call('test', *first, *SMALL)


@pytest.mark.slow
def test_a_report_leaves_files_that_are_not_its_own(
    weights: Path, data: Path, tmp_path: Path
) -> None:
    thesis = foreign(tmp_path / 'proj' / 'report' / 'thesis.tex')
    deep = foreign(tmp_path / 'proj' / 'report' / 'data' / 'notes' / 'x.json')
    for _ in range(2):
        assert evaluate(weights, data, tmp_path / 'proj') == 0
        assert thesis.read_bytes() == FOREIGN and deep.read_bytes() == FOREIGN
        assert (thesis.parent / 'index.html').stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize(
    'name', ['report/index.html', 'report/data/run.json', 'report/losses.png', 'pictures/0.png']
)
def test_a_test_refuses_a_work_folder_with_foreign_results(
    name: str, weights: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = foreign(tmp_path / 'proj' / name)
    assert evaluate(weights, data, tmp_path / 'proj') == 2
    assert str(mine) in capsys.readouterr().err.splitlines()[-1]
    assert mine.read_bytes() == FOREIGN


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['show-dir', 'link', 'hard link', 'inside'])
def test_drawings_over_images(
    kind: str, weights: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, folder = data / 'images' / 'val', data / 'images' / 'val'
    if kind == 'link':
        folder = tmp_path / 'link'
        folder.symlink_to(images)
    elif kind == 'hard link':
        folder = tmp_path / 'drawn'
        folder.mkdir()
        os.link(images / '0.png', folder / '0.png')
    elif kind == 'inside':
        folder = images / 'drawn'
    before = content(data)
    assert evaluate(weights, data, tmp_path / 'work', '--show-dir', folder) == 2
    assert 'choose another folder' in capsys.readouterr().err
    assert content(data) == before


@pytest.mark.parametrize('tool', ['train', 'test', 'browse_dataset'])
def test_a_work_folder_among_the_data(
    tool: str, weights: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(data)
    checkpoint = [weights] if tool == 'test' else []
    folder = data / 'images' / 'val' / 'run'
    words = [DETECTOR, *checkpoint, '--data', data, '--work-dir', folder, *SMALL]
    split = ['--split', 'val'] if tool == 'browse_dataset' else []
    assert call(tool, *words[:1], *split, *words[1:]) == 2
    assert 'choose another folder' in capsys.readouterr().err
    assert content(data) == before


def test_skipped_records_over_annotations(
    weights: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(data)
    assert evaluate(weights, data, data / 'annotations', '--skip-bad') == 2
    assert 'val.json' in capsys.readouterr().err
    assert content(data) == before


def test_a_pickle_over_the_checkpoint_or_a_file(
    weights: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / 'weights.pkl'
    shutil.copy(weights, checkpoint)
    before = checkpoint.read_bytes()
    assert evaluate(checkpoint, data, tmp_path / 'work', '--out', checkpoint) == 2
    assert str(checkpoint) in capsys.readouterr().err
    assert checkpoint.read_bytes() == before
    mine = foreign(tmp_path / 'found.pkl')
    assert evaluate(weights, data, tmp_path / 'work', '--out', mine) == 2
    assert mine.read_bytes() == FOREIGN


def test_label_maps_over_label_maps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_folder(tmp_path / 'data')
    weights = saved(segmentor(), tmp_path / 'iter_1.pth', STRIPES)
    before = content(data)
    for folder in (data / 'labels' / 'val', data / 'images' / 'val'):
        words = ['--data', data, '--work-dir', tmp_path / 'work', '--out', folder]
        assert call('test', SEGMENTOR, weights, *words) == 2
        assert 'choose another folder' in capsys.readouterr().err
        assert content(data) == before


@pytest.mark.slow
def test_a_config_is_not_replaced_by_the_runs_copy(
    weights: Path, data: Path, tmp_path: Path
) -> None:
    config = tmp_path / 'work' / 'mine.py'
    config.parent.mkdir()
    detector().dump(config)
    before = config.read_bytes()
    words = [config, weights, '--data', data, '--work-dir', config.parent]
    # Without workers: those of a loader that a garbage collection meets are waited for, 5 s each.
    assert call('test', *words, *SMALL) == 0
    assert config.read_bytes() == before
    assert list(config.parent.glob('*/vis_data/config.py'))


@pytest.mark.slow
@pytest.mark.parametrize('name', ['epoch_1.pth', 'last_checkpoint', 'interrupted.pth'])
def test_a_training_refuses_a_folder_with_foreign_checkpoints(
    name: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = foreign(tmp_path / 'work' / name)
    assert call('train', DETECTOR, '--data', data, '--work-dir', mine.parent, *SMALL) == 2
    assert str(mine) in capsys.readouterr().err
    assert mine.read_bytes() == FOREIGN


@pytest.mark.slow
def test_a_training_does_not_replace_the_weights_it_starts_from(
    weights: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ['--data', data, '--work-dir', tmp_path / 'work', *SMALL]
    assert call('train', DETECTOR, *words) == 0
    first = tmp_path / 'work' / 'epoch_1.pth'
    before = first.read_bytes()
    assert call('train', DETECTOR, *words, f'load_from={first}') == 2
    assert 'already holds a training' in capsys.readouterr().err
    assert first.read_bytes() == before
    assert call('train', DETECTOR, *words) == 2, 'its own ones it does not replace unasked, either'
    assert first.read_bytes() == before


NOISE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def nested(folder: Path, suffix: str = '.jpg') -> Path:
    """Eight images of one name."""
    for number in range(8):
        (folder / f'c{number}').mkdir(parents=True)
        cv2.imwrite(str(folder / f'c{number}' / f'0001{suffix}'), np.roll(NOISE, number * 3, 1))
    return folder


def test_infer_refuses_to_replace_its_inputs(detecting: Predictor, tmp_path: Path) -> None:
    photos = tmp_path / 'photos'
    (photos / 'pictures').mkdir(parents=True)
    image = photos / 'pictures' / 'a.jpg'
    cv2.imwrite(str(image), NOISE)
    before = content(photos)
    for source in (image, photos / 'pictures'):
        with pytest.raises(ValueError, match='this run reads'):
            infer(detecting, [source], photos)
    ids = foreign(tmp_path / 'out' / 'images.json')
    ids.write_text(json.dumps(dict(images=[], categories=[])), encoding='utf-8')
    with pytest.raises(ValueError, match='this run reads'):
        infer(detecting, [image], ids.parent, ann_file=ids)
    assert content(photos) == before


@pytest.mark.parametrize('name', ['pictures/a.jpg', 'predictions.json', 'images.json'])
def test_infer_refuses_to_replace_foreign_files(
    name: str, detecting: Predictor, tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / 'a.jpg'), NOISE)
    foreign(tmp_path / 'out' / name)
    with pytest.raises(FileExistsError, match='did not write'):
        infer(detecting, [tmp_path / 'a.jpg'], tmp_path / 'out')
    assert content(tmp_path / 'out') == {name: FOREIGN}


def test_infer_reads_a_folder_beside_its_results(detecting: Predictor, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / 'a.jpg'), NOISE)
    for _ in range(2):
        assert infer(detecting, [tmp_path], tmp_path) == []
        listed = json.loads((tmp_path / 'images.json').read_text(encoding='utf-8'))['images']
        assert [image['file_name'] for image in listed] == ['a.jpg']


@pytest.mark.parametrize('given', ['folder', 'files'])
def test_infer_mirrors_folders(given: str, detecting: Predictor, tmp_path: Path) -> None:
    photos = nested(tmp_path / 'photos')
    sources = [photos] if given == 'folder' else sorted(photos.glob('*/*.jpg'))
    infer(detecting, sources, tmp_path / 'out', score_thr=0.0)
    names = [f'c{number}/0001.jpg' for number in range(8)]
    listed = json.loads((tmp_path / 'out' / 'images.json').read_text(encoding='utf-8'))['images']
    assert [image['file_name'] for image in listed] == names
    drawn = {(tmp_path / 'out' / 'pictures' / name).read_bytes() for name in names}
    assert len(drawn) == 8


@pytest.mark.slow
def test_a_test_mirrors_folders(weights: Path, tmp_path: Path) -> None:
    data = write_data(tmp_path / 'data', val=8)
    file = data / 'annotations' / 'val.json'
    records = json.loads(file.read_text(encoding='utf-8'))
    for number, image in enumerate(records['images']):
        name = f'c{number}/0001.png'
        (data / 'images' / 'val' / name).parent.mkdir()
        (data / 'images' / 'val' / image['file_name']).rename(data / 'images' / 'val' / name)
        image['file_name'] = name
    file.write_text(json.dumps(records), encoding='utf-8')
    assert evaluate(weights, data, tmp_path / 'work', '--show-dir', tmp_path / 'drawn') == 0
    drawn = content(tmp_path / 'drawn')
    assert {f'c{number}/0001.png' for number in range(8)} <= set(drawn)
    assert len({drawn[f'c{number}/0001.png'] for number in range(8)}) == 8


def test_label_maps_of_equal_stems(segmenting: Predictor, tmp_path: Path) -> None:
    source = tmp_path / 'in'
    (source / 'street').mkdir(parents=True)
    images = {'a.jpg': 0, 'a.png': 5, 'street/000000.png': 9, 'b.png': 3}
    for name, shift in images.items():
        cv2.imwrite(str(source / name), np.roll(NOISE, shift, 1))
    writer = cv2.VideoWriter(
        str(source / 'street.mp4'), cv2.VideoWriter.fourcc(*'mp4v'), 5, (64, 48)
    )
    for shift in range(2):
        writer.write(np.roll(NOISE, shift * 20, 0))
    writer.release()
    infer(segmenting, [source], tmp_path / 'out')
    labels = {path for path in content(tmp_path / 'out' / 'labels') if path.endswith('.png')}
    assert labels == {
        *('a.jpg.png', 'a.png.png', 'b.png', 'street/000000.png'),
        *('street.mp4/000000.png', 'street.mp4/000001.png'),
    }
    expected = segmenting(cv2.imread(str(source / 'a.png'))).pred_sem_seg.data[0].numpy()
    written = cv2.imread(str(tmp_path / 'out/labels/a.png.png'), cv2.IMREAD_UNCHANGED)
    assert (written == expected).all()
    listed = json.loads((tmp_path / 'out' / 'images.json').read_text(encoding='utf-8'))['images']
    assert [image['file_name'] for image in listed][-2:] == [
        'street.mp4/000000',
        'street.mp4/000001',
    ]


@pytest.mark.slow
def test_label_maps_of_a_test_mirror_folders(tmp_path: Path) -> None:
    data = write_folder(tmp_path / 'data')
    for number in range(3):
        write_image(data / 'images' / 'val' / f'c{number}' / '0001.jpg')
        write_label(data / 'labels' / 'val' / f'c{number}' / '0001.png', label(0, 1))
    weights = saved(segmentor(), tmp_path / 'iter_1.pth', STRIPES)
    words = ['--data', data, '--work-dir', tmp_path / 'work', '--out', tmp_path / 'maps']
    assert call('test', SEGMENTOR, weights, *words) == 0
    found = {path for path in content(tmp_path / 'maps') if path.endswith('.png')}
    assert found == {'c.png', *(f'c{number}/0001.png' for number in range(3))}


def add_notes(folder: Path) -> None:
    (folder / 'images' / 'train' / 'mine.txt').write_bytes(FOREIGN)


def replace_mark(folder: Path) -> None:
    shutil.rmtree(folder)
    foreign(folder / 'notes.txt')
    (folder / 'demo.json').write_text('{"seed": 7}', encoding='utf-8')


@pytest.mark.parametrize('change', [add_notes, replace_mark])
def test_demo_data_in_a_folder_that_holds_something_else(
    change: Callable[[Path], None], tmp_path: Path
) -> None:
    folder = make_demo(tmp_path / 'demo', train=1, val=1)
    change(folder)
    before = content(folder)
    with pytest.raises(FileExistsError, match='demo'):
        make_demo(folder, seed=1, train=1, val=1)
    assert content(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ['demo']
