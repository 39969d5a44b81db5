"""A .pt2 file predicts what PyTorch predicts, in passes of its own size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from effnet_dense.exporting import export, torch_format
from effnet_dense.exporting.program import traced
from effnet_dense.inference import Predictor
from effnet_dense.runtimes.torch_session import TorchSession
from tests.helpers.exported_files import METADATA
from tests.helpers.exported_models import IMAGES, same_detections, spread
from tests.helpers.exported_programs import Scaled, needs_pt2
from tests.helpers.tiny_models import detector, mask_rcnn, saved, segmentor


@pytest.fixture(autouse=True)
def _exports() -> None:
    needs_pt2()


@pytest.mark.slow
def test_detections(tmp_path: Path) -> None:
    config = detector()
    config.model.test_cfg.max_per_img = 20
    config.model.data_preprocessor.batch_augments = None
    checkpoint = saved(config, tmp_path / 'x.pth')
    spread(config, checkpoint)
    path = export(config, str(checkpoint), tmp_path / 'a.pt2', batch=2, format='torch')
    same_detections(Predictor(config, checkpoint, 'cpu'), Predictor(path))
    metadata = TorchSession(path).metadata
    assert (metadata.batch, metadata.post) == (2, 'dense') and metadata.levels
    assert str(Path(__file__).parents[2]).encode() not in path.read_bytes()


@pytest.mark.slow
def test_label_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = segmentor()
    checkpoint = saved(config, tmp_path / 'x.pth')
    monkeypatch.chdir(tmp_path)
    path = export(config, str(checkpoint), size=(64, 64), format='torch')
    assert path == Path('model.pt2') and TorchSession(path).metadata.batch == 1
    pytorch, exported = Predictor(config, checkpoint, 'cpu'), Predictor(path)
    for expected, sample in zip(pytorch(IMAGES[:2]), exported(IMAGES[:2]), strict=True):
        torch.testing.assert_close(sample.pred_sem_seg.data, expected.pred_sem_seg.data)


def test_mistakes(tmp_path: Path) -> None:
    out = tmp_path / 'a.pt2'
    given: dict[str, Any] = dict(config='effnet_lite0_fpn_camvid', checkpoint='x', format='torch')
    with pytest.raises(ValueError, match=r"a name with \.pt2, got '.*a\.onnx'"):
        export(**given, out=tmp_path / 'a.onnx')
    for precision in ('fp16', 'int8', 'int8-weights'):
        with pytest.raises(ValueError, match=f'torch has no precision {precision}: PyTorch comp'):
            export(**given, out=out, precision=precision)
    config = mask_rcnn()
    checkpoint = str(saved(config, tmp_path / 'x.pth'))
    with pytest.raises(
        ValueError, match=r'^MaskRCNN cannot be exported as torch, whose files stop '
    ):
        export(config, checkpoint, out, format='torch')
    assert not out.exists()


def test_what_predictor_would_refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = traced(Scaled().eval(), torch.zeros(1, 3, 32, 64))
    monkeypatch.setattr(torch_format, 'checked_metadata', lambda _: None)
    with pytest.raises(ImportError, match=r'\.pt2 files need a later PyTorch, got'):
        torch_format.save(program, METADATA, tmp_path / 'a.pt2')

    def refuse(_: bytes) -> None:
        raise ValueError("its graph calls 'my.operator'")

    monkeypatch.setattr(torch_format, 'checked_metadata', refuse)
    with pytest.raises(ValueError, match=r"Decoder cannot be exported to \.pt2: .* 'my\.operator'"):
        torch_format.save(program, METADATA, tmp_path / 'a.pt2')
    assert list(tmp_path.iterdir()) == []
