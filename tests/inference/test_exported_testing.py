"""Evaluating an exported file: its dataset, its classes by name, and a user's mistakes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import effnet_dense
from effnet_dense.engine.config import load_config
from effnet_dense.inference.exported_testing import config_of_file, evaluate_exported, given_file
from tests.helpers.exported_files import METADATA, identity
from tests.helpers.label_folder import write_classes, write_label


def brightest(root: Path, classes: list[str]) -> Path:
    """Write images with the labels that the file of `identity` finds, numbered as in `classes`."""
    mean, std = np.array(METADATA.mean), np.array(METADATA.std)
    for name in ('a', 'b'):
        image = np.random.default_rng(len(name)).integers(0, 256, (20, 50, 3), dtype=np.uint8)
        (root / 'images' / 'val').mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / 'images' / 'val' / f'{name}.png'), image)
        found = ((image[..., ::-1] - mean) / std).argmax(-1)
        numbers = np.array([classes.index(each) for each in METADATA.classes], np.uint8)
        write_label(root / 'labels' / 'val' / f'{name}.png', numbers[found])
    write_classes(root, {'classes': classes})
    return root


@pytest.mark.parametrize('order', [1, -1])
def test_a_file_and_a_folder_are_enough(tmp_path: Path, order: int) -> None:
    data = brightest(tmp_path / 'data', METADATA.classes[::order])
    path = identity(tmp_path / 'a.onnx')
    figures = effnet_dense.evaluate(
        path, data=data, work_dir=tmp_path / 'work', workers=0, show_dir=tmp_path / 'shown'
    )
    assert figures['mIoU'] == 100
    page = (tmp_path / 'work' / 'report' / 'index.html').read_text(encoding='utf-8')
    assert f'Test of {path}' in page
    assert len(list((tmp_path / 'shown').rglob('*.png'))) == 2


def test_which_file_and_which_config(tmp_path: Path) -> None:
    sha256 = hashlib.sha256(b'weights').hexdigest()
    path = identity(tmp_path / 'a.onnx', checkpoint='best.pth', sha256=sha256)
    assert given_file('some_config', 'x.pth', None) == (None, 'some_config')
    assert given_file('some_config', path, None) == (path, 'some_config')
    config = given_file(path, None, 'folder')[1]
    assert config.test_dataloader.dataset.pipeline[1].type == 'effnet_dense.LoadLabelMap'
    (tmp_path / 'best.pth').write_bytes(b'weights')
    assert given_file(path, None, None) == (path, tmp_path)
    (tmp_path / 'best.pth').write_bytes(b'other weights')
    with pytest.raises(
        ValueError, match=r'was exported from another best\.pth than that in .*--data'
    ):
        given_file(path, None, None)


def test_errors(tmp_path: Path) -> None:
    path = identity(tmp_path / 'a.onnx')
    with pytest.raises(ValueError, match='does not lie in the work folder of its training: expec'):
        effnet_dense.evaluate(path)
    with pytest.raises(ValueError, match=r'exported file: expected nothing after it, got x\.pth'):
        effnet_dense.evaluate(path, 'x.pth', 'folder')
    with pytest.raises(FileNotFoundError, match='no ONNX file'):
        effnet_dense.evaluate('nowhere.onnx', data='folder')
    config = load_config('effnet_lite0_fpn_camvid')
    with pytest.raises(ValueError, match='it takes no --deploy, --tta, --cuda-graphs'):
        evaluate_exported(config, path, deployed=True, tta=True, cuda_graphs=True)
    with pytest.raises(ValueError, match='is a semantic model, the config is for detection'):
        evaluate_exported(load_config('effnet_lite0_retinanet_finetune'), path)
    with pytest.raises(ValueError, match='a panoptic model needs a config before the file'):
        config_of_file(path, replace(METADATA, task='panoptic'), 'folder')
