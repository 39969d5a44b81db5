"""A .pte file predicts what PyTorch predicts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from effnet_dense.exporting import export
from effnet_dense.exporting.formats import check_out, write
from effnet_dense.exporting.program import traced
from effnet_dense.inference import Predictor
from effnet_dense.runtimes.executorch_session import ExecutorchSession
from tests.helpers.exported_files import METADATA
from tests.helpers.exported_models import IMAGES, same_detections, spread
from tests.helpers.tiny_models import detector, saved, segmentor

REASON = 'ExecuTorch is in an environment of its own: bash tools/environment.sh executorch'


@pytest.mark.parametrize('precision', ['fp16', 'int8', 'int8-weights'])
def test_precisions(precision: str) -> None:
    with pytest.raises(ValueError, match=rf'executorch has no precision {precision}: \w+'):
        check_out(Path('a.pte'), 'executorch', precision)


def test_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"a name with \.pte, got 'a\.pt'"):
        check_out(Path('a.pt'), 'executorch')
    monkeypatch.setitem(sys.modules, 'executorch', None)
    with pytest.raises(ImportError, match=r"pip install 'effnet_dense\[executorch\]'"):
        check_out(Path('a.pte'), 'executorch')


@pytest.mark.slow
def test_detections(tmp_path: Path) -> None:
    pytest.importorskip('executorch', reason=REASON)
    config = detector()
    config.model.test_cfg.max_per_img = 20
    config.model.data_preprocessor.batch_augments = None
    checkpoint = saved(config, tmp_path / 'x.pth')
    spread(config, checkpoint)
    path = export(config, str(checkpoint), tmp_path / 'a.pte', batch=2, format='executorch')
    same_detections(Predictor(config, checkpoint, 'cpu'), Predictor(path))
    metadata = ExecutorchSession(path).metadata
    assert (metadata.batch, metadata.post) == (2, 'dense') and metadata.levels


@pytest.mark.slow
def test_label_maps(tmp_path: Path) -> None:
    pytest.importorskip('executorch', reason=REASON)
    config = segmentor()
    checkpoint = saved(config, tmp_path / 'x.pth')
    given: dict[str, Any] = dict(size=(64, 64), format='executorch')
    path = export(config, str(checkpoint), tmp_path / 'a.pte', **given)
    pytorch, exported = Predictor(config, checkpoint, 'cpu'), Predictor(path)
    for expected, sample in zip(pytorch(IMAGES[:2]), exported(IMAGES[:2]), strict=True):
        same = sample.pred_sem_seg.data == expected.pred_sem_seg.data
        assert same.float().mean() > 0.999
        assert len(expected.pred_sem_seg.data.unique()) > 1


class Signal(nn.Module):
    """Has an operator that ExecuTorch lacks."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.special.bessel_j0(images)


def test_what_it_cannot_convert(tmp_path: Path) -> None:
    pytest.importorskip('executorch', reason=REASON)
    program = traced(Signal(), torch.zeros(1, 3, 32, 64))
    with pytest.raises(ValueError, match=r'^ExecuTorch cannot convert this model: .+') as info:
        write(program, METADATA, tmp_path / 'a.pte', 'executorch')
    assert '\n' not in str(info.value) and list(tmp_path.iterdir()) == []
