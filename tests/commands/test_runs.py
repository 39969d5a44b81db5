"""A work folder alone: resumed, evaluated, predicted with, compared; what is missing is said."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import pytest

from effnet_dense.commands import image_arguments, predict, report, train
from effnet_dense.commands.main import load, main
from tests.helpers.tiny import as_arguments, narrow_retinanet, options, write_data
from tests.helpers.tiny_models import DETECTOR

VALUES = options(epochs=2, **narrow_retinanet(), **{'train_cfg.val_interval': 1})


@pytest.fixture(scope='module')
def trained(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder of two epochs, which began in a new folder without --resume."""
    folder = tmp_path_factory.mktemp('commands') / 'work'
    words = ['train', DETECTOR, '--data', tiny_data, '--work-dir', folder, *as_arguments(VALUES)]
    assert main(list(map(str, words))) == 0
    return folder


@pytest.fixture(autouse=True)
def _quiet(quiet_loggers: None) -> None:
    """Loggers of earlier tests are closed."""


def call(*words: object) -> int:
    return main([str(word) for word in words])


def test_the_second_training_asks_for_resume(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / 'no data'
    assert call('train', DETECTOR, '--data', missing, '--work-dir', trained) == 2
    error = capsys.readouterr().err
    assert f'already holds a training ({DETECTOR}, epoch 2 of 2, ' in error
    assert '--resume' in error and '--work-dir' in error and error.count('\n') == 1


@pytest.mark.slow
@pytest.mark.parametrize('form', ['train --resume RUN', 'train RUN --resume'])
def test_resume_takes_the_folder_alone(form: str, trained: Path, tmp_path: Path) -> None:
    run = shutil.copytree(trained, tmp_path / 'run')
    words = form.replace('RUN', str(run)).split()
    assert call(*words, '--cfg-options', 'train_cfg.max_epochs=3') == 0
    assert (run / 'epoch_3.pth').is_file() and (run / 'best.pth').is_file()


def test_test_takes_the_folder_alone(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call('test', trained) == 0
    shown = capsys.readouterr().out
    assert '2 images, box AP ' in shown and 'box AP of classes: ' in shown


def test_predict_takes_the_folder_alone(
    trained: Path, tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = [tiny_data / 'images' / 'val' / name for name in ('0.png', '1.png')]
    assert call('predict', trained, '--device', 'cpu', *images, '--score-thr', '0') == 0
    folder = trained / 'predictions'
    assert len(list((folder / 'pictures').glob('*.png'))) == 2
    assert str(folder) in capsys.readouterr().out


@pytest.mark.parametrize(
    ('words', 'checkpoint', 'sources'),
    [
        ('RUN a.jpg', 'RUN/best.pth', ['a.jpg']),
        ('RUN a.jpg b', 'RUN/best.pth', ['a.jpg', 'b']),
        ('RUN RUN/epoch_2.pth a.jpg', 'RUN/epoch_2.pth', ['a.jpg']),
        ('RUN/epoch_2.pth a.jpg', 'RUN/epoch_2.pth', ['a.jpg']),
        (f'{DETECTOR} x.pth --out out a.jpg', 'x.pth', ['a.jpg']),
        (f'--out out {DETECTOR} https://x.org/y a.jpg b', 'https://x.org/y', ['a.jpg', 'b']),
    ],
)
def test_words_of_predict(
    words: str, checkpoint: str, sources: list[str], trained: Path, tmp_path: Path
) -> None:
    given = words.replace('RUN', str(trained)).replace('out out', f'out {tmp_path / "o"}').split()
    found = image_arguments.words_of(predict.parser().parse_args(given))
    assert found == (checkpoint.replace('RUN', str(trained)), sources)


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        ('predict RUN', 'expected images, folders or videos after'),
        (
            f'predict {DETECTOR}',
            'neither a work folder nor a checkpoint: expected a checkpoint after it',
        ),
        (f'predict {DETECTOR} a.jpg', 'is a config: expected a checkpoint after it, before the i'),
        # The missing image is named before the model is built of a checkpoint, missing here too.
        (f'predict {DETECTOR} x.pth no.jpg', 'no image, folder or video at no.jpg'),
        (f'explain {DETECTOR} x.pth no.jpg', 'no image, folder or video at no.jpg'),
        (
            f'test {DETECTOR}',
            'neither a work folder nor a checkpoint: expected a checkpoint after it',
        ),
        ('test RUN/..', 'a run in folders: name one, '),
        ('predict nowhere a.jpg', "no work folder or checkpoint 'nowhere', and no config file"),
        ('predict effdet://tf_efficientdet_d0 a.jpg', 'names weights: expected the config of'),
        ('test effdet://tf_efficientdet_d0', 'names weights: expected the config of'),
        ('robustness effdet://tf_efficientdet_d0', 'names weights: expected the config of'),
        ('explain effdet://tf_efficientdet_d0 a.jpg', 'names weights: expected the config of'),
        ('export effdet://tf_efficientdet_d0', 'names weights: expected the config of'),
        ('test nowhere', "no work folder or checkpoint 'nowhere', and no config file"),
        ('train', 'expected a config (a file, or'),
        ('train --resume', 'expected a config (a file, or'),
        ('train --resume nowhere', 'got nowhere'),
        ('report RUN RUN', 'expected two work folders to compare'),
    ],
)
def test_what_is_missing_is_one_line(
    words: str, message: str, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*words.replace('RUN', str(trained)).split()) == 2
    error = capsys.readouterr().err
    assert message in error and error.startswith('error: ') and error.count('\n') == 1


@pytest.mark.slow
def test_two_runs_are_compared(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = shutil.copytree(trained, tmp_path / 'other')
    assert call('report', trained, other) == 0
    page = Path(capsys.readouterr().out.strip())
    assert page == trained / 'report' / 'comparison.html' and page.is_file()


def test_options_stand_anywhere() -> None:
    args = train.parser().parse_args(['--epochs', '3', DETECTOR, '--resume'])
    assert (args.config, args.epochs, args.resume) == (DETECTOR, 3, 'auto')
    args = load('test').parser().parse_args([DETECTOR, '--tta', 'x.pth'])
    assert (args.config, args.checkpoint) == (DETECTOR, 'x.pth')
    args = report.parser().parse_args(['a', '--debug', 'b'])
    assert isinstance(args, argparse.Namespace) and (args.work_dir, args.others) == ('a', ['b'])


def test_browsing_prints_no_words_of_libraries(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ('browse', DETECTOR, '--data', tiny_data, '--work-dir', tmp_path / 'work')
    assert call(*words, '--number', 1) == 0
    shown = capsys.readouterr().out
    assert 'loading annotations' not in shown and 'index created' not in shown
    assert '1 image and ' in shown


def test_data_says_where_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    packed = shutil.make_archive(str(tmp_path / 'set'), 'zip', write_data(tmp_path / 'plain'))
    for words, place in (((), Path('data/converted')), (('--out', 'mine'), Path('mine'))):
        assert call('data', packed, *words) == 0
        first, *_, last = capsys.readouterr().out.strip().splitlines()
        assert str(place) in first and '--out DIR' in first
        assert last.startswith(f'repaired, drawn or unpacked: {place}') and place.is_dir()
    assert call('data', tmp_path / 'plain', '--out', 'unused') == 0
    assert 'nothing written to unused' in capsys.readouterr().out
    assert not Path('unused').exists()
