"""Exported models predict what PyTorch predicts, in batches of any size."""

from __future__ import annotations

import copy
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
import torch

import effnet_dense
from benchmarks.spread_weights import spread_weights
from effnet_dense.exporting import export, onnx_format
from effnet_dense.exporting.exporter import _padding
from effnet_dense.exporting.formats import write
from effnet_dense.exporting.onnx_file import Parts, to_onnx
from effnet_dense.exporting.tasks import detector_task
from effnet_dense.exporting.trained import Trained
from effnet_dense.inference import Predictor
from effnet_dense.runtimes.onnx_session import OnnxSession
from effnet_dense.runtimes.openvino_session import OpenvinoSession
from tests.helpers.exported_files import GRAPH, METADATA
from tests.helpers.exported_models import IMAGES, Files, checkpoints, same_detections, spread
from tests.helpers.tiny_models import CLASSES, mask_rcnn, saved, segmentor


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Checkpoints of small models by name."""
    return checkpoints(tmp_path_factory.mktemp('checkpoints'))


def test_an_older_pytorch(files: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.compiler, 'is_exporting', raising=False)
    with pytest.raises(ImportError, match=r'export needs PyTorch 2\.7 or later, got'):
        export(*files['retinanet'], tmp_path / 'a.onnx')


@pytest.mark.slow
@pytest.mark.parametrize(('name', 'multiple'), [('retinanet', 32), ('efficientdet', None)])
def test_detections(files: Any, name: str, multiple: int | None, tmp_path: Path) -> None:
    config, checkpoint = copy.deepcopy(files[name][0]), files[name][1]
    images = IMAGES
    if multiple is not None:  # to 128 × 128, 96 × 224, 64 × 224
        config.model.data_preprocessor.pad_size_divisor = multiple
        config.test_dataloader.dataset.pipeline[1].scale = (200, 100)
        images = [image[:rows] for image, rows in zip(IMAGES, (64, 30, 20), strict=True)]
        checkpoint = Path(shutil.copy(checkpoint, tmp_path))
        spread(config, checkpoint)
    path = tmp_path / 'model.onnx'
    effnet_dense.export(config, str(checkpoint), path, multiple=multiple)
    pytorch, exported = Predictor(config, checkpoint, 'cpu'), Predictor(path)
    assert exported.dataset_meta['classes'] == CLASSES
    same_detections(pytorch, exported, images)
    pytest.importorskip('openvino')
    metadata = OnnxSession(path).metadata
    assert (metadata.size is None, metadata.multiple) == (multiple is not None, multiple)
    write(onnx.load(path), metadata, tmp_path / 'model_openvino', 'openvino')
    same_detections(pytorch, Predictor(tmp_path / 'model_openvino'), images)


@pytest.mark.slow
def test_label_maps_and_metadata(files: Any, tmp_path: Path) -> None:
    config, checkpoint = files['fpn']
    path = export(config, str(checkpoint), tmp_path / 'a.onnx', size=(64, 64), batch=2)
    pytorch, exported = Predictor(config, checkpoint, 'cpu'), Predictor(path)
    for expected, sample in zip(pytorch(IMAGES), exported(IMAGES), strict=True):
        same = expected.pred_sem_seg.data == sample.pred_sem_seg.data
        assert same.float().mean() > 0.999
        assert len(expected.pred_sem_seg.data.unique()) > 1
    metadata = OnnxSession(path).metadata
    assert (metadata.size, metadata.batch, metadata.post) == ([64, 64], 2, 'labels')
    assert metadata.mean == [127.5] * 3 and metadata.channels == 'RGB'
    assert metadata.checkpoint == 'fpn.pth' and len(metadata.sha256) == 64


@pytest.mark.slow
def test_label_maps_of_images_of_different_sizes(tmp_path: Path) -> None:
    """The shipped config's test pipeline keeps them, and pads to 32 pixels: so does the file."""
    config = segmentor('effnet_lite0_bifpn_camvid')
    config.model.neck.num_cells = 1
    big = np.resize(IMAGES[0], (160, 160, 3))
    checkpoint = spread_weights(config, [big], tmp_path / 'bifpn.pth')
    path = export(config, str(checkpoint), tmp_path / 'a.onnx')
    metadata = OnnxSession(path).metadata
    assert (metadata.size, metadata.multiple) == (None, 32)
    write(onnx.load(path), metadata, tmp_path / 'a_openvino', 'openvino')
    pytorch = Predictor(config, checkpoint, 'cpu')
    for exported in (Predictor(path), Predictor(tmp_path / 'a_openvino')):
        for height, width in ((60, 40), (96, 150), (30, 30)):
            image = np.resize(IMAGES[0], (height, width, 3))
            one, other = (p(image).pred_sem_seg.data for p in (pytorch, exported))
            assert one.shape == (1, height, width) and len(one.unique()) > 1
            assert (one == other).float().mean() > 0.999


def test_openvino(files: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('openvino')
    config, checkpoint = files['fpn']
    parts = Parts(onnx.parser.parse_model(GRAPH))
    monkeypatch.setattr(onnx_format, 'whole_parts', lambda *_: parts)
    monkeypatch.chdir(tmp_path)
    path = export(config, str(checkpoint), size=(32, 64), format='openvino')
    assert path == Path('model_openvino')
    assert sorted(file.name for file in path.iterdir()) == ['model.bin', 'model.xml']
    session = OpenvinoSession(path)
    assert session.metadata.checkpoint == 'fpn.pth' and session.metadata.size == [32, 64]
    assert list(session.metadata.outputs) == ['logits']
    sample = Predictor(path)(IMAGES[0][:32])
    assert sample.pred_sem_seg.data.shape == (1, 32, 64)


def test_other_padding_is_logged(files: Any) -> None:
    config, checkpoint = copy.deepcopy(files['retinanet'][0]), files['retinanet'][1]
    subject = Trained(Predictor(config, checkpoint, 'cpu'), checkpoint)
    fixed = replace(METADATA, task='detection', size=[64, 64])
    assert '(--multiple 32 pads as PyTorch does)' in _padding(subject, fixed, 'onnx')
    assert '--multiple' not in _padding(subject, fixed, 'litert')
    for same in (
        replace(fixed, size=None, multiple=32),
        replace(fixed, pipeline=[*fixed.pipeline, dict(type='Pad', size=[64, 64])]),
        replace(fixed, preprocessor=dict(test_cfg=dict(size=[64, 64]))),
        replace(fixed, task='instance'),
    ):
        assert _padding(subject, same, 'onnx') == ''
    subject.predictor.config.model.data_preprocessor.pad_size_divisor = 96
    assert '--multiple' not in _padding(subject, fixed, 'onnx')
    subject.predictor.config.model.data_preprocessor.pad_size_divisor = 1
    assert 'where PyTorch does not pad' in _padding(subject, fixed, 'onnx')


def test_errors_come_before_any_work(files: Any, tmp_path: Path) -> None:
    config, checkpoint = files['retinanet']
    taken = tmp_path / 'mine.onnx'
    taken.write_text('mine', encoding='utf-8')
    with pytest.raises(FileExistsError, match=r'mine\.onnx exists: choose another file'):
        export(config, str(checkpoint), taken)
    assert taken.read_text(encoding='utf-8') == 'mine'
    for given in ((taken,), (config, str(taken))):
        with pytest.raises(ValueError, match=r'mine\.onnx is an exported file: expected a work fo'):
            export(*given, out=tmp_path / 'b.onnx')
    out = tmp_path / 'a.onnx'
    with pytest.raises(ValueError, match=r"one of nms, decoded, raw .*, got 'labels'"):
        export(config, str(checkpoint), out, post='labels')
    with pytest.raises(ValueError, match='multiples of 32, got 70 × 64'):
        export(config, str(checkpoint), out, size=(70, 64))
    with pytest.raises(ValueError, match='multiple of 32, as RetinaNet with FPN needs it, got 16'):
        export(config, str(checkpoint), out, multiple=16)
    with pytest.raises(ValueError, match=r'multiple of 128, as .* with BiFPN needs it, got 64'):
        export(files['efficientdet'][0], str(files['efficientdet'][1]), out, multiple=64)
    with pytest.raises(ValueError, match=r'size or multiple, got both: \(64, 64\) and 128'):
        export(config, str(checkpoint), out, size=(64, 64), multiple=128)
    with pytest.raises(ValueError, match=r"a name with \.onnx, got '.*model'"):
        export(config, str(checkpoint), tmp_path / 'model')
    assert list(tmp_path.iterdir()) == [taken]


def test_other_models_are_refused(tmp_path: Path) -> None:
    config = mask_rcnn()
    checkpoint = str(saved(config, tmp_path / 'x.pth'))
    with pytest.raises(ValueError, match=r"is exported with post='nms', .*, got 'raw'"):
        export(config, checkpoint, tmp_path / 'a.onnx', post='raw')
    with pytest.raises(ValueError, match='Identity cannot be exported, only single-stage detec'):
        detector_task(torch.nn.Identity())


class Silent(torch.nn.Module):
    """Fails as its argument does, without a message or for a missing package."""

    def __init__(self, error: type[Exception]) -> None:
        super().__init__()
        self.error = error

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Raise."""
        raise self.error


def test_what_tracing_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(module: Any, *_: object, **__: object) -> None:
        raise module.error

    monkeypatch.setattr(torch.export, 'export', fail)
    given = ([torch.zeros(2, 3, 8, 8)], ['images'], ['logits'])
    with pytest.raises(ValueError, match=r'^Silent cannot be exported: KeyError$'):
        to_onnx(Silent(KeyError), *given)
    with pytest.raises(ImportError):
        to_onnx(Silent(ImportError), *given)
