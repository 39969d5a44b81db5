"""Candidates are those from which mmdet chooses its detections."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from effnet_dense.engine.config import load_config
from effnet_dense.inference import Predictor
from effnet_dense.inference.explaining.candidates import Candidates, candidates, has_candidates
from tests.helpers.build import build
from tests.helpers.tiny_models import detector, mask_rcnn, rtmdet, saved


@pytest.mark.parametrize('config', [detector, mask_rcnn, rtmdet])
def test_each_detection_is_a_candidate(config: object, tmp_path: Path) -> None:
    made: Config = config()  # type: ignore[operator]
    predictor = Predictor(made, saved(made, tmp_path / 'epoch_1.pth'), 'cpu')
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert has_candidates(predictor.model)
    (sample,) = predictor.predict([image])
    batch = pseudo_collate([predictor.prepare(image)])
    data = predictor.model.data_preprocessor(batch, False)
    with torch.no_grad():
        levels = predictor.model.extract_feat(data['inputs'])
        found = candidates(predictor.model, levels, data['data_samples'])
    assert len(sample.pred_instances)
    for box, score, label in zip(
        sample.pred_instances.bboxes,
        sample.pred_instances.scores,
        sample.pred_instances.labels,
        strict=True,
    ):
        own = found.boxes[:, label if found.boxes.shape[1] > 1 else 0].clamp(0, 64)
        distance = (own - box).abs().amax(1) + (found.log_odds[:, label].sigmoid() - score).abs()
        assert distance.min() < 1e-3


def test_a_score_is_the_mean_of_what_overlaps() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 4], [50, 50, 60, 60]])
    odds = torch.tensor([[1.0, 0], [3, 0], [5, 0], [7, 0]])
    found = Candidates(boxes[:, None], odds)
    assert found.score(boxes[0], 0) == 2  # IoUs 1, 0.8, 0.4, 0
    assert found.score(torch.tensor([50.0, 50, 60, 54]), 0) == 7  # only one, of IoU 0.4


def test_other_models_have_none() -> None:
    assert not has_candidates(SimpleNamespace(bbox_head=None))


@pytest.mark.parametrize(
    ('name', 'explained'),
    [
        ('b0_atss', True),
        ('b0_gfl', False),
        ('b0_tood', False),
        ('b3_dino', False),
        ('b3_rtdetr', False),
    ],
)
def test_heads_that_decode_by_themselves_have_none(name: str, explained: bool) -> None:
    assert has_candidates(build(load_config(f'effnet_{name}_coco'))) == explained
