"""The flags of `Settings`: every field has one, and values that cannot be are argparse errors."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from effnet_dense.commands import browse, predict, test, train
from effnet_dense.commands.setting_arguments import (
    ALL,
    BROWSE,
    FLAGS,
    PREDICT,
    TEST,
    add_settings,
    settings_of,
)
from effnet_dense.settings import Settings

CONFIG = 'effnet_lite0_retinanet_finetune'
POSITIONAL = {
    train: [CONFIG],
    test: [CONFIG, 'x.pth'],
    browse: [CONFIG],
    predict: [CONFIG, 'x.pth', 'i'],
}


def parsed(*words: object) -> Settings:
    """The settings of a `train` command."""
    arguments = train.parser().parse_args(['some', *map(str, words)])
    return settings_of(arguments, ALL)


def test_every_field_has_a_flag() -> None:
    assert FLAGS.keys() == {field.name for field in fields(Settings)}


@pytest.mark.parametrize(
    ('words', 'given'),
    [
        ([], {}),
        (['--epochs', 3], dict(epochs=3)),
        (['--iterations', 90], dict(iterations=90)),
        (['--image-size', 512], dict(image_size=(512, 512))),
        (['--image-size', 640, 384], dict(image_size=(640, 384))),
        (['--batch-size', 4], dict(batch_size=4)),
        (['--batch-size', 'auto'], dict(batch_size='auto')),
        (['--lr', '1e-3'], dict(lr=0.001)),
        (['--classes', 'cat', 'big bee'], dict(classes=('cat', 'big bee'))),
        (['--backbone', 'b3'], dict(backbone='b3')),
        (['--weights', 'none'], dict(weights='none')),
        (['--from', 'd0.pth'], dict(from_detector='d0.pth')),
        (['--freeze', 0], dict(freeze=0)),
        (['--patience', 3], dict(patience=3)),
        (['--seed', 0], dict(seed=0)),
        (['--precision', 'bf16'], dict(precision='bf16')),
        (['--workers', 0], dict(workers=0)),
        (['--tensorboard', '--mlflow'], dict(loggers=('tensorboard', 'mlflow'))),
        (['--wandb'], dict(loggers=('wandb',))),
        (['--compile'], dict(compile=True)),
        (['--lean', 2], dict(lean=2)),
        (['--device', 'cpu'], dict(device='cpu')),
    ],
)
def test_values(words: list[object], given: dict[str, Any]) -> None:
    assert parsed(*words).given() == given


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--epochs', 0], "--epochs: expected a whole number, at least 1, got '0'"),
        (['--epochs', 1.5], "got '1.5'"),
        (['--epochs', 3, '--iterations', 5], '--iterations: not allowed with argument --epochs'),
        (['--image-size', 256, 256, 256], 'expected one number, or width and height, got 3'),
        (['--image-size', 16], "at least 32, at most 16384, got '16'"),
        (['--image-size', '256x256'], "got '256x256'"),
        (['--image-size'], 'expected at least one argument'),
        (['--batch-size', 0], "at least 1, got '0'; or 'auto'"),
        (['--batch-size', 'all'], "got 'all'; or 'auto'"),
        (['--lr', 0], "--lr: expected a number above 0, got '0'"),
        (['--lr', 'nan'], "above 0, got 'nan'"),
        (['--classes', 'a', 'b', 'a'], 'expected different names, got more than once: a'),
        (['--classes', ' '], "--classes: expected a name, got ' '"),
        (['--backbone', ''], "--backbone: expected a name, got ''"),
        (['--freeze', -1], 'at least 0'),
        (['--patience', 0], 'at least 1'),
        (['--seed', 2**32], 'at most 4294967295'),
        (['--precision', 'fp8'], "invalid choice: 'fp8'"),
        (['--workers', -1], 'at least 0'),
        (['--lean', 3], 'invalid choice: 3'),
        (['--image-sise', 256], 'did you mean --image-size?'),
    ],
)
def test_errors(words: list[object], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match='2'):
        parsed(*words)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ('command', 'names'), [(test, TEST), (browse, BROWSE), (predict, PREDICT), (train, ALL)]
)
def test_commands_have_the_flags_that_concern_them(command: Any, names: tuple[str, ...]) -> None:
    known = command.parser()._option_string_actions
    flags = {FLAGS[name]['flag'] for name in names} - {''}
    assert flags <= known.keys()
    words = [*POSITIONAL[command], '--image-size', '64', *(('--out', 'o') * (command is predict))]
    found = settings_of(command.parser().parse_args(words), names)
    assert found == Settings(image_size=(64, 64))


def test_predict_keeps_the_meaning_of_its_own_flags() -> None:
    words = [*POSITIONAL[predict], '--out', 'o', '--batch-size', '2', '--device', 'cpu']
    args = predict.parser().parse_args(words)
    assert (args.batch_size, args.device) == (2, 'cpu')
    assert not settings_of(args, PREDICT)
    assert predict.parser().parse_args(words[:5]).batch_size == 1


@pytest.mark.parametrize('command', [train, test, browse, predict])
def test_settings_reach_the_config(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`load_config` gets them; what they do is tested beside the functions that do it."""
    received: list[Settings] = []

    def load(*_: object, settings: Settings, **__: object) -> None:
        received.append(settings)
        raise ValueError('enough')

    monkeypatch.setattr('effnet_dense.engine.config.load_config', load)
    words = [*POSITIONAL[command], '--image-size', '64', '96']
    words += ['--out', str(tmp_path)] * (command is predict)
    with pytest.raises(ValueError, match='enough'):
        command.main(command.parser().parse_args(words))
    assert received == [Settings(image_size=(64, 96))]


@pytest.mark.parametrize(
    ('words', 'options'),
    [
        ([], None),
        (['--batch-size', '3'], {'test_dataloader.batch_size': 3}),
        (
            ['--batch-size', '3', '--cfg-options', 'test_dataloader.batch_size=5', 'a.b=1'],
            {'test_dataloader.batch_size': 5, 'a.b': 1},
        ),
    ],
)
def test_test_sets_its_own_loader(
    words: list[str], options: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings have the batch of training and its learning rate; `--cfg-options` win."""
    received: list[object] = []

    def load(*_: object, **arguments: object) -> None:
        received.append(arguments['options'])
        assert not arguments['settings']
        raise ValueError('enough')

    monkeypatch.setattr('effnet_dense.engine.config.load_config', load)
    with pytest.raises(ValueError, match='enough'):
        test.main(test.parser().parse_args([*POSITIONAL[test], *words]))
    assert received == [options]


def test_amp_chooses_its_own_precision() -> None:
    args = train.parser().parse_args([CONFIG, '--amp', '--precision', 'fp32'])
    with pytest.raises(ValueError, match='without --precision fp32'):
        train.main(args)


def test_a_group_without_lengths() -> None:
    """Python 3.11 cannot print the usage of an empty group of exclusive flags."""
    parser = argparse.ArgumentParser()
    add_settings(parser, TEST)
    assert '--image-size' in parser.format_help()
