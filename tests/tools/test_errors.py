"""What a user can get wrong: one line, exit status 2, before anything has been trained."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.helpers.tiny import as_arguments, in_place_of_coco, options, write_data
from tests.helpers.tool import call

CONFIG = 'effnet_lite0_retinanet_finetune'


def train(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The message that tools/train.py ends with."""
    assert call('train', *words) == 2
    errors = capsys.readouterr().err
    assert 'Traceback' not in errors
    return errors.partition('error: ')[2]


def test_unknown_config(capsys: pytest.CaptureFixture[str]) -> None:
    message = train(capsys, 'configs/effnet_b3_retinanet.py')
    assert 'effnet_b3_retinanet_coco' in message


def test_missing_coco_says_where_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    message = train(capsys, 'effnet_b3_retinanet_coco', '--work-dir', tmp_path)
    for part in ('data/coco', 'cocodataset.org', '--data'):
        assert part in message


def test_missing_data_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = train(capsys, CONFIG, '--data', tmp_path / 'nowhere', '--work-dir', tmp_path)
    assert str(tmp_path / 'nowhere') in message


@pytest.mark.parametrize('content', ['', '{"images": [', '[]'])
def test_malformed_annotations(
    content: str, tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = shutil.copytree(tiny_data, tmp_path / 'data')
    (data / 'annotations' / 'train.json').write_text(content, encoding='utf-8')
    assert 'train.json' in train(capsys, CONFIG, '--data', data, '--work-dir', tmp_path)


def test_what_needs_a_gpu_is_refused_before_data_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for flags in (['--cuda-graphs'], ['--cfg-options', 'cuda_graphs=True']):
        message = train(capsys, CONFIG, '--data', 'demo', '--device', 'cpu', *flags)
        assert "CUDA graphs need a GPU, and the training runs on 'cpu'" in message
        assert not list(tmp_path.iterdir())


def test_an_overlap_without_tiles(capsys: pytest.CaptureFixture[str]) -> None:
    assert call('infer', CONFIG, 'x.pth', 'street.jpg', '--overlap', '0.5') == 2
    assert '--overlap is for tiles: expected --tile with it' in capsys.readouterr().err


def test_an_option_that_nothing_reads(capsys: pytest.CaptureFixture[str]) -> None:
    message = train(capsys, CONFIG, '--cfg-options', 'optim_wraper.optimizer.lr=1')
    assert 'optim_wrapper' in message


@pytest.mark.parametrize(
    ('option', 'quoted'),
    [
        ('model.backbone.arch=b17', 'b17'),
        ('model.backbone.arch.phi=x', 'phi'),
        ('model.backbone.out_indices=(3,4,9)', '9'),
        ('model.backbone.padding=circular', 'circular'),
        ('model.neck.in_channels=[1,2,3]', '[1, 2, 3]'),
        ('model.neck.in_channels=(1,2,3)', 'assert isinstance(in_channels, list)'),
        ('model.bbox_head.type=RetinaNetHead', 'RetinaNetHead'),
    ],
)
def test_impossible_models(
    option: str,
    quoted: str,
    tiny_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    key, _, value = option.partition('=')
    changes = as_arguments({**options(), key: value})
    words = [CONFIG, '--data', tiny_data, '--work-dir', tmp_path, *changes]
    assert quoted in train(capsys, *words)


def test_an_unreadable_image_is_named_before_training(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = shutil.copytree(tiny_data, tmp_path / 'data')
    (data / 'images' / 'train' / '1.png').write_bytes(b'no image')
    assert '1.png' in train(capsys, CONFIG, '--data', data, '--work-dir', tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize('workers', [0, 1])
def test_an_unreadable_image_is_named_in_training(
    workers: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without `--data` the images are not checked beforehand."""
    data = write_data(tmp_path / 'data', classes=('person', 'car'))
    image_path = data / 'images' / 'train' / '1.png'
    image_path.write_bytes(b'no image')
    changes = {**options(), **in_place_of_coco(data), 'train_dataloader.num_workers': workers}
    changes['train_dataloader.persistent_workers'] = bool(workers)
    message = train(capsys, CONFIG, '--work-dir', tmp_path / 'run', *as_arguments(changes))
    assert str(image_path) in message


def test_launcher_without_its_variables(
    tiny_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE'):
        monkeypatch.delenv(name, raising=False)
    words = [CONFIG, '--data', tiny_data, '--work-dir', tmp_path, '--launcher', 'pytorch']
    assert 'dist_train.sh' in train(capsys, *words)
