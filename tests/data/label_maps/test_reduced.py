"""`reduce_zero_label` of a config that `--data` does not use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmseg.datasets import ADE20KDataset, BaseSegDataset

from effnet_dense.data import use_data
from effnet_dense.data.label_maps.classes import LabelClasses
from effnet_dense.data.label_maps.decode import NO_CLASS
from effnet_dense.data.label_maps.reduced import report_reduced
from tests.helpers.label_folder import CLASSES, write_classes, write_folder

BY_DEFAULT = (
    'ADE20KDataset',
    'ISPRSDataset',
    'LoveDADataset',
    'PascalContextDataset59',
    'PotsdamDataset',
)
PLAIN = LabelClasses(CLASSES, 9)
"""Values are labels; 0 is the sky."""


class Inherited(ADE20KDataset):
    """A dataset of a user's, with arguments of its own."""

    def __init__(self, note: str = '', **kwargs: Any) -> None:
        super().__init__(**kwargs)


def config(*datasets: dict[str, Any]) -> Config:
    loop = {'dataset': dict(type='ConcatDataset', datasets=list(datasets))}
    return Config(dict(default_scope='mmseg', train_dataloader=loop, val_dataloader=loop))


def shown(
    capsys: pytest.CaptureFixture[str],
    cfg: Config,
    classes: LabelClasses = PLAIN,
    splits: tuple[str, ...] = ('train', 'val'),
) -> list[str]:
    report_reduced(cfg, splits, classes)
    return [line for line in ''.join(capsys.readouterr()).splitlines() if 'reduce_zero' in line]


@pytest.mark.parametrize('scope', ['', 'mmseg.'])
@pytest.mark.parametrize('name', BY_DEFAULT)
def test_types_that_reduce_by_default(
    capsys: pytest.CaptureFixture[str], scope: str, name: str
) -> None:
    (line,) = shown(capsys, config(dict(type=f'{scope}{name}')))
    assert line.startswith(f'warning: reduce_zero_label=True of {name} is not used for --data')
    assert "in its label maps, value 0 is the class 'sky' (label 0), and no label is moved" in line
    assert '{"values": {"0": "ignore", …}}' in line


@pytest.mark.parametrize(
    ('dataset', 'named'),
    [
        (dict(type='CityscapesDataset', reduce_zero_label=True), 'CityscapesDataset'),
        (dict(type='effnet_dense.LabelMapDataset', reduce_zero_label=True), 'LabelMapDataset'),
        (dict(type=ADE20KDataset), 'ADE20KDataset'),
        (dict(type=Inherited), 'Inherited'),
        (dict(type='ADE20KDataset', reduce_zero_label=False), ''),
        (dict(type='CityscapesDataset'), ''),
        (dict(type=BaseSegDataset), ''),
        (dict(type='effnet_dense.LabelMapDataset'), ''),
        (dict(type='NoSuchDataset'), ''),
    ],
)
def test_datasets(capsys: pytest.CaptureFixture[str], dataset: dict[str, Any], named: str) -> None:
    lines = shown(capsys, config(dataset))
    assert len(lines) == bool(named) and all(f'=True of {named} is' in line for line in lines)


def test_several_types_share_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    types = ('LoveDADataset', 'CityscapesDataset', 'ADE20KDataset')
    (line,) = shown(capsys, config(*(dict(type=name) for name in types)))
    assert 'of LoveDADataset, ADE20KDataset is' in line


def test_only_replaced_datasets_count(capsys: pytest.CaptureFixture[str]) -> None:
    cfg = config(dict(type='ADE20KDataset'))
    cfg.val_dataloader = None
    assert not shown(capsys, cfg, splits=('val',))


@pytest.mark.parametrize(
    ('classes', 'words'),
    [
        (LabelClasses(CLASSES, None, {0: NO_CLASS, 1: 0, 2: 1, 3: 2}), ''),
        (LabelClasses(CLASSES, None, {1: 0, 2: 1, 3: 2}), ''),
        (
            LabelClasses(CLASSES, None, {1: 0, 0: 1, 3: 2}),
            "in its label maps, value 0 is the class 'road'",
        ),
        (
            LabelClasses(CLASSES, None, None, {0xFF: 0, 0: 2}),
            'in its label maps, colour #000000 is',
        ),
        (LabelClasses(CLASSES, None, None, {0xFF: 0, 0: NO_CLASS}), ''),
        (LabelClasses(CLASSES, None, {1: 0, 2: 1, 3: 2}, unknown_ignored=True), ''),
    ],
)
def test_what_0_means_in_the_data(
    capsys: pytest.CaptureFixture[str], classes: LabelClasses, words: str
) -> None:
    lines = shown(capsys, config(dict(type='ADE20KDataset')), classes)
    assert len(lines) == bool(words) and all(words in line for line in lines)


def test_the_advice_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--data` warns, and is silent once classes.json leaves 0 out, as the warning proposes."""
    root = write_folder(tmp_path / 'set')
    table = {'0': 'ignore', '1': 'road', '2': 'car', '9': 'ignore'}
    expected = [['ADE20KDataset is not used'], []]
    for content, words in zip([None, {'values': table}], expected, strict=True):
        if content is not None:
            write_classes(root, content)
        pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
        cfg = config(dict(type='ADE20KDataset', pipeline=pipeline))
        cfg.model = dict(type='EncoderDecoder', decode_head=dict(type='FCNHead', num_classes=150))
        source = use_data(cfg, root)
        found = ''.join(capsys.readouterr())
        assert [w for w in ['ADE20KDataset is not used'] if w in found] == words
        assert cfg.model.decode_head.num_classes == len(source.classes) == 3 - (content is not None)
