"""Weights that are finite but too large: predictions of NaN are never empty without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from effnet_dense.engine.checks.finite_outputs import OutputWatch, is_finite
from effnet_dense.inference import Predictor
from effnet_dense.inference.predictor import BadOutputsError
from tests.helpers.tiny import write_data
from tests.helpers.tiny_models import DETECTOR, SMALL, detector, saved, segmentor
from tests.helpers.tool import call

IMAGE = np.full((40, 50, 3), 90, np.uint8)
HEAD = 'bbox_head.retina_reg.weight'


def diverged(config: Any, path: Path, weight: str) -> Path:
    """Write a checkpoint of which one weight is finite, and too large to compute with."""
    checkpoint = torch.load(saved(config, path, ('square', 'bar')), weights_only=True)
    checkpoint['state_dict'][weight].fill_(1e38)
    torch.save(checkpoint, path)
    return path


@pytest.mark.parametrize(
    ('config', 'weight', 'part'),
    [
        (detector, HEAD, 'bbox_head'),
        (detector, 'neck.lateral_convs.0.conv.weight', 'bbox_head'),
        (segmentor, 'decode_head.conv_seg.weight', 'the predictions'),
    ],
)
def test_predictors_name_the_part_and_the_weight(
    config: Any, weight: str, part: str, tmp_path: Path
) -> None:
    predictor = Predictor(config(), diverged(config(), tmp_path / 'a.pth', weight), 'cpu')
    for _ in range(2):  # not the first image alone
        with pytest.raises(BadOutputsError, match=rf'of {part} are not finite.*1e\+38 \({weight}'):
            predictor(IMAGE)
    assert not any(module._forward_hooks for module in predictor.model.modules())


def test_only_the_first_batch_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Predictor(detector(), saved(detector(), tmp_path / 'a.pth'), 'cpu')
    before = predictor(IMAGE)
    assert not any(module._forward_hooks for module in predictor.model.modules())
    monkeypatch.setattr(OutputWatch, 'start', None)
    assert torch.equal(before.pred_instances.scores, predictor(IMAGE).pred_instances.scores)


def test_masks_of_minus_infinity_are_finite() -> None:
    masked = torch.tensor([1.0, -torch.inf])
    assert is_finite([masked, torch.empty(0), torch.ones(2, dtype=torch.long), None, 'x'])
    assert not is_finite({'a': (torch.tensor([1.0, torch.nan]),)})
    assert not is_finite([masked, [torch.tensor([torch.inf, -torch.inf])]])


@pytest.mark.slow
def test_tools_end_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, weights = write_data(tmp_path / 'data'), diverged(detector(), tmp_path / 'a.pth', HEAD)
    for words in (
        ('test', DETECTOR, weights, '--data', data, '--work-dir', tmp_path / 'test', *SMALL),
        ('infer', DETECTOR, weights, data / 'images/val', '--out', tmp_path / 'out', *SMALL),
    ):
        assert call(*words) == 2
        shown = capsys.readouterr().err.partition('error: ')[2]
        assert 'the outputs of bbox_head are not finite' in shown and shown.count('\n') == 1
