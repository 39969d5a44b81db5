"""RT-DETR's files have no suppression, and predict what PyTorch predicts."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from torch import nn

from effnet_dense.engine.config import load_config
from effnet_dense.exporting import export, stages
from effnet_dense.exporting.formats import write
from effnet_dense.exporting.onnx_file import to_onnx
from effnet_dense.inference import Predictor
from effnet_dense.runtimes.onnx_session import OnnxSession
from effnet_dense.settings import Settings
from tests.helpers.exported_models import IMAGES, same_detections
from tests.helpers.tiny_models import CLASSES, SMALL_RTDETR, saved

SMALL = {**SMALL_RTDETR, 'model.bbox_head.num_classes': len(CLASSES)}


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Path]:
    """A config and a checkpoint whose scores and boxes differ from each other."""
    settings = Settings(backbone='lite0', weights='none', image_size=(96, 64))
    config = load_config('effnet_b3_rtdetr_coco', settings=settings, options=SMALL)
    path = saved(config, tmp_path_factory.mktemp('rtdetr') / 'rtdetr.pth')
    content = torch.load(path, weights_only=True)
    torch.manual_seed(0)
    for name, values in content['state_dict'].items():
        if 'cls_branches' in name or name.endswith('.4.weight'):
            values.normal_(0, 0.3)
    torch.save(content, path)
    return config, path


@pytest.fixture(scope='module', autouse=True)
def _traced_once() -> Iterator[None]:
    """Trace the network, which takes most of the time, for the first file only."""
    found: dict[type, onnx.ModelProto] = {}

    def trace(module: nn.Module, *given: Any) -> onnx.ModelProto:
        if type(module) not in found:
            found[type(module)] = to_onnx(module, *given)
        return copy.deepcopy(found[type(module)])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, 'to_onnx', trace)
        yield


@pytest.mark.slow
def test_detections(model: tuple[Config, Path], tmp_path: Path) -> None:
    config, checkpoint = model
    path = export(config, str(checkpoint), tmp_path / 'model.onnx')
    pytorch, exported = Predictor(config, checkpoint, 'cpu'), Predictor(path)
    metadata = OnnxSession(path).metadata
    assert (metadata.size, metadata.post, metadata.nms) == ([64, 96], 'nms', {'max_per_img': 20})
    images = [IMAGES[0], IMAGES[1][:40], IMAGES[2][:, :50]]  # each is stretched
    same_detections(pytorch, exported, images)
    operators = {node.op_type for node in onnx.load(path).graph.node}
    assert 'NonMaxSuppression' not in operators and 'GridSample' in operators
    pytest.importorskip('openvino')
    write(onnx.load(path), metadata, tmp_path / 'model_openvino', 'openvino')
    same_detections(pytorch, Predictor(tmp_path / 'model_openvino'), images)


@pytest.mark.slow
def test_raw_outputs(model: tuple[Config, Path], tmp_path: Path) -> None:
    config, checkpoint = model
    path = export(config, str(checkpoint), tmp_path / 'raw.onnx', post='raw', precision='fp16')
    session = OnnxSession(path)
    detector = Predictor(config, checkpoint, 'cpu').model
    images = torch.randn(2, 3, 64, 96)
    sample = DetDataSample(metainfo=dict(img_shape=(64, 96), batch_input_shape=(64, 96)))
    with torch.no_grad():
        logits, boxes = detector(images, [sample, sample], mode='tensor')
    found = session(images.numpy(), np.array([[64, 96]] * 2, np.float32))
    assert list(found) == ['logits', 'relative_boxes']
    for name, wanted in (('logits', logits[-1]), ('relative_boxes', boxes[-1])):
        apart = np.abs(found[name] - wanted.numpy())
        assert np.median(apart) < 0.01  # weights have 16 bits, which may change the choice


def test_what_it_has_not_is_refused(model: tuple[Config, Path], tmp_path: Path) -> None:
    config, checkpoint = model
    out = tmp_path / 'a.onnx'
    with pytest.raises(ValueError, match='one height and width, on which its attention depends'):
        export(config, str(checkpoint), out, multiple=32)
    with pytest.raises(ValueError, match='post to be one of nms, raw for a detection model'):
        export(config, str(checkpoint), out, post='decoded')
    with pytest.raises(ValueError, match=r'int8 is for single-stage detectors .*, got RTDETR'):
        export(config, str(checkpoint), out, precision='int8', data='data')
    with pytest.raises(ValueError, match='to the size of the file, 128 × 96 pixels, got'):
        export(config, str(checkpoint), out, size=(96, 128))
    padded = copy.deepcopy(config)
    (resize,) = (s for s in padded.test_dataloader.dataset.pipeline if s.type == 'Resize')
    resize.keep_ratio = True
    with pytest.raises(ValueError, match='RTDETR does not support padding'):
        export(padded, str(checkpoint), out, size=(96, 96))
    with pytest.raises(ValueError, match=r'RTDETR cannot be exported as torch, .*try onnx'):
        export(config, str(checkpoint), tmp_path / 'a.pt2', format='torch')
    assert not list(tmp_path.iterdir())
