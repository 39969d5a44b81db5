"""Checkpoints run by another runtime: converted once, kept, and never out of date."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import effnet_dense
from effnet_dense.engine.config import load_config
from effnet_dense.inference import Predictor, converted
from effnet_dense.inference.exported import ExportedModel
from effnet_dense.runtimes.metadata import KEY
from tests.helpers.exported_files import METADATA, identity, identity_folder, identity_of_any_size
from tests.helpers.tiny_models import saved, segmentor

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 50, 3), dtype=np.uint8)


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Replace `export` by one that takes no time; list what it was given."""
    given: list[Any] = []

    def export(
        config: Any, checkpoint: str, out: Path, format: str, multiple: int | None = None
    ) -> Path:
        given.append((checkpoint, format, multiple))
        if multiple is not None and format == 'onnx':
            return identity_of_any_size(out)
        return identity(out) if format == 'onnx' else identity_folder(out)

    monkeypatch.setattr(effnet_dense, 'export', export, raising=False)
    return given


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / 'run'
    folder.mkdir()
    return saved(segmentor(), folder / 'best.pth')


@pytest.mark.parametrize('runtime', ['onnxruntime', 'openvino'])
def test_converted_once(checkpoint: Path, exports: list[Any], runtime: str) -> None:
    pytest.importorskip(runtime)
    for _ in range(2):
        sample = Predictor(segmentor(), checkpoint, runtime=runtime)(IMAGE)
        assert sample.pred_sem_seg.data.shape == (1, 20, 50)
    assert exports == [(str(checkpoint), converted.FORMATS[runtime], 32)]
    first, second = sorted(checkpoint.parent.iterdir(), key=lambda path: len(path.name))
    assert first == checkpoint and second.name.startswith('best.')


def test_what_changes_the_file(checkpoint: Path, exports: list[Any]) -> None:
    Predictor(segmentor(), checkpoint, runtime='onnxruntime')
    other = segmentor()
    other.model.test_cfg = dict(mode='whole', other=1)
    Predictor(other, checkpoint, runtime='onnxruntime')
    assert len(exports) == 2
    checkpoint.write_bytes(checkpoint.read_bytes() + b'0')
    Predictor(segmentor(), checkpoint, runtime='onnxruntime')
    assert len(exports) == 3
    assert len(list(checkpoint.parent.glob('*.onnx'))) == 3


@pytest.mark.parametrize('damage', ['half', 'foreign'])
def test_a_damaged_file_is_replaced(checkpoint: Path, exports: list[Any], damage: str) -> None:
    Predictor(segmentor(), checkpoint, runtime='onnxruntime')
    (file,) = checkpoint.parent.glob('*.onnx')
    if damage == 'half':
        file.write_bytes(file.read_bytes()[:50])
    else:
        model = onnx.load(str(file))
        del model.metadata_props[:]
        onnx.save(model, str(file))
    Predictor(segmentor(), checkpoint, runtime='onnxruntime')
    assert len(exports) == 2
    assert [entry.key for entry in onnx.load(str(file)).metadata_props] == [KEY]


def test_a_folder_that_cannot_be_written_to(
    checkpoint: Path, exports: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converted, 'cache_folder', lambda: tmp_path / 'cache' / 'inductor')
    (tmp_path / 'cache').mkdir()
    access = os.access
    monkeypatch.setattr(
        os, 'access', lambda path, mode: Path(path) != checkpoint.parent and access(path, mode)
    )
    for _ in range(2):
        Predictor(segmentor(), checkpoint, runtime='onnxruntime')
    assert len(exports) == 1
    assert len(list((tmp_path / 'cache' / 'exported').glob('best.*.onnx'))) == 1
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


def test_nothing_is_left_of_a_failure(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(config: Any, checkpoint: str, out: Path, format: str, **_: int) -> Path:
        out.write_bytes(b'0')
        raise ValueError('such a model cannot be exported')

    monkeypatch.setattr(effnet_dense, 'export', fail, raising=False)
    with pytest.raises(ValueError, match='such a model cannot be exported'):
        Predictor(segmentor(), checkpoint, runtime='onnxruntime')
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


def test_mistakes(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="one of auto, pytorch, onnxruntime, openvino, got 'tensorrt'"
    ):
        Predictor(segmentor(), checkpoint, runtime='tensorrt')
    with pytest.raises(
        ValueError, match=r'runtime=openvino is given: .* without device=cpu, deploy'
    ):
        Predictor(segmentor(), checkpoint, 'cpu', deploy=True, runtime='openvino')
    with pytest.raises(
        ValueError, match='is an exported file: expected it without runtime=onnxruntime'
    ):
        Predictor(identity(tmp_path / 'a.onnx'), runtime='onnxruntime')


def test_auto_takes_what_is_there(checkpoint: Path, exports: list[Any]) -> None:
    assert not isinstance(Predictor(segmentor(), checkpoint).model, ExportedModel)
    Predictor(segmentor(), checkpoint, runtime='onnxruntime')
    assert isinstance(Predictor(segmentor(), checkpoint).model, ExportedModel)
    for arguments in (dict(device='cpu'), dict(deploy=True), dict(runtime='pytorch')):
        predictor = Predictor(segmentor(), checkpoint, **arguments)
        assert not isinstance(predictor.model, ExportedModel)
    other = segmentor()
    other.model.data_preprocessor.test_cfg.size_divisor = 64
    assert not isinstance(Predictor(other, checkpoint).model, ExportedModel)
    assert len(exports) == 1


def test_auto_leaves_a_gpu_to_pytorch(
    checkpoint: Path, exports: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    Predictor(segmentor(), checkpoint, runtime='onnxruntime')
    monkeypatch.setattr('effnet_dense.inference.predictor.get_device', lambda: 'cuda')
    monkeypatch.setattr('effnet_dense.inference.predictor.checked_device', lambda _: 'cpu')
    assert not isinstance(Predictor(segmentor(), checkpoint).model, ExportedModel)


def test_padding() -> None:
    free = replace(METADATA, size=None, multiple=32)
    assert converted.padding_multiple(segmentor()) == 32
    assert converted.pads_alike(segmentor(), free)
    assert not converted.pads_alike(segmentor(), replace(free, multiple=64))
    assert not converted.pads_alike(segmentor(), METADATA)
    assert not converted.pads_alike(segmentor(), replace(free, task='instance'))
    assert not converted.pads_alike(segmentor(), replace(free, nms={'rcnn': {}}))
    square = load_config('efficientdet_lite0_finetune')
    assert converted.pads_alike(square, replace(METADATA, size=[320, 320]))
    assert not converted.pads_alike(square, replace(METADATA, size=[320, 640]))
    stretched = dict(scale=[640, 320], keep_ratio=False)
    assert converted.pads_alike(square, replace(METADATA, size=[320, 640], resize=stretched))
    assert not converted.pads_alike(square, replace(METADATA, size=[640, 640], resize=stretched))
    other = dict(type='FixScaleResize', scale=640, keep_ratio=False)
    assert not converted.pads_alike(square, replace(METADATA, size=[640, 640], resize=other))
    square.model.data_preprocessor.pad_size_divisor = 1
    assert not converted.pads_alike(square, replace(METADATA, size=[320, 320]))


def test_one_size_where_a_multiple_cannot_be(
    checkpoint: Path, exports: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    export = effnet_dense.export

    def fail(*given: Any, **options: Any) -> Path:
        if 'multiple' in options:
            raise ValueError('no graph for every size')
        return export(*given, **options)

    monkeypatch.setattr(effnet_dense, 'export', fail)
    Predictor(segmentor(), checkpoint, runtime='onnxruntime')
    assert exports == [(str(checkpoint), 'onnx', None)]
    assert not isinstance(Predictor(segmentor(), checkpoint).model, ExportedModel)


def test_a_work_folder_that_moved_has_the_same_file(tmp_path: Path) -> None:
    checkpoint = saved(segmentor(), tmp_path / 'best.pth')
    here, there = segmentor(), segmentor()
    here.work_dir, there.work_dir = 'run', str(tmp_path / 'run')
    name = converted.digest(here, checkpoint, 'onnx')
    assert converted.digest(there, checkpoint, 'onnx') == name
    there.model.backbone.out_indices = (3,)
    assert converted.digest(there, checkpoint, 'onnx') != name
