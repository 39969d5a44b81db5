"""Configs that inherit shipped ones by name, read by us and by mmengine alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from effnet_dense.engine.config import load_config
from effnet_dense.utils.shipped import PACKAGE

OWN = """
_base_ = {base!r}
model = dict(neck=dict(out_channels=64), bbox_head=dict(in_channels=64))
"""


def write(folder: Path, base: object) -> Path:
    """Write a config of three lines."""
    path = folder / 'own.py'
    path.write_text(OWN.format(base=base), encoding='utf-8')
    return path


@pytest.mark.parametrize('suffix', ['', '.py'])
def test_three_lines(suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path, f'effnet_dense::effnet_lite0_retinanet_finetune{suffix}')
    expected = load_config('effnet_lite0_retinanet_finetune')
    expected.model.neck.out_channels = expected.model.bbox_head.in_channels = 64
    for found in (load_config(path), Config.fromfile(path)):
        for key in ('model', 'train_dataloader', 'optim_wrapper', 'custom_imports'):
            assert found[key] == expected[key]
    assert load_config(path).work_dir == 'work_dirs/own'


def test_several_bases_and_inner_ones(tmp_path: Path) -> None:
    bases = ['models/retinanet_effnet_fpn', 'datasets/coco_finetune320', 'default_runtime']
    config = load_config(write(tmp_path, [f'effnet_dense::_base_/{base}.py' for base in bases]))
    assert config.model.type == 'RetinaNet'
    assert config.model.neck.out_channels == 64


def test_other_packages_are_mmengines(tmp_path: Path) -> None:
    path = write(tmp_path, 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py')
    assert Config.fromfile(path).model.backbone.depth == 50


@pytest.mark.parametrize(
    ('base', 'hint'),
    [
        ('effnet_dense::effnet_lite0_retinanet_finetun', 'effnet_lite0_retinanet_finetune'),
        ('effnet_dense::', ''),
        ('effnet_dense::../tools/train', ''),
        (f'effnet_dense::{PACKAGE.parent}/tools/train.py', ''),
    ],
)
def test_unknown_ones(base: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f'comes with the package; it has .*{hint}'):
        load_config(write(tmp_path, base))
