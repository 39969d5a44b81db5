"""Random weights with the statistics of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch import Tensor

from benchmarks.spread_weights import CALM, spread_weights
from effnet_dense.inference import Predictor
from tests.helpers.tiny_models import detector


@pytest.mark.parametrize('deep', [False, True])
def test_last_layers_have_the_wished_statistics(
    deep: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if deep:
        monkeypatch.setattr('benchmarks.spread_weights.BLOCKS', 0)
    config = detector()
    config.model.data_preprocessor.pad_size_divisor = 64
    draw = np.random.default_rng(0)
    images = [draw.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(2)]
    path = spread_weights(config, images, tmp_path / 'model.pth')
    predictor = Predictor(config, path, 'cpu')
    model: Any = predictor.model
    batch = model.data_preprocessor(pseudo_collate([predictor.prepare(i) for i in images]))
    with torch.no_grad():
        logits, deltas = model(batch['inputs'], batch['data_samples'], mode='tensor')
    for outputs, mean, deviation in ((logits, -4.0, 1.0), (deltas, 0.0, 0.5)):
        values = torch.cat([_by_channel(output) for output in outputs], 1)
        torch.testing.assert_close(values.mean(1), torch.full((len(values),), mean))
        share = CALM if deep else 1
        torch.testing.assert_close(values.std(1), torch.full((len(values),), share * deviation))
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert all(bool(norm.bias.any()) == deep for norm in norms)


def _by_channel(output: Tensor) -> Tensor:
    return output.transpose(0, 1).flatten(1)
