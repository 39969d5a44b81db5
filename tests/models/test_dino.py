"""DINO in images that have fewer positions than it has queries, and otherwise as mmdet's."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmengine.registry import init_default_scope

from effnet_dense.engine.config import load_config

POSITIONS = 8 * 12 + 4 * 6 + 2 * 3 + 1 * 2
"""Of the four levels of an image of 64 × 96 px."""


def detectors(queries: int) -> tuple[Any, Any]:
    """Ours and mmdet's with the same weights."""
    init_default_scope('mmdet')
    config = load_config('effnet_b3_dino_coco').model
    config.update(num_queries=queries)
    config.backbone.update(arch='lite0', init_cfg=None)
    config.neck.in_channels = [40, 112, 320]
    for part in (config.encoder, config.decoder):
        part.num_layers = 1
    config.encoder.layer_cfg.ffn_cfg.feedforward_channels = 32
    config.decoder.layer_cfg.ffn_cfg.feedforward_channels = 32
    torch.manual_seed(0)
    ours = MODELS.build(copy.deepcopy(config))
    ours.init_weights()  # mmdet leaves the levels' embeddings in uninitialised memory before
    theirs = MODELS.build({**config, 'type': 'DINO'})
    theirs.load_state_dict(ours.state_dict())
    return ours.eval(), theirs.eval()


def predict(model: Any) -> Any:
    batch = demo_mm_inputs(1, [[3, 64, 96]], num_classes=80)
    with torch.no_grad():
        (sample,) = model(**model.data_preprocessor(batch), mode='predict')
    return sample.pred_instances


@pytest.mark.parametrize('queries', [20, POSITIONS])
def test_predicts_what_mmdets_does(queries: int) -> None:
    ours, theirs = (predict(model) for model in detectors(queries))
    assert len(ours) > 0
    for key in ('bboxes', 'scores', 'labels'):
        assert torch.equal(ours[key], theirs[key])


def test_an_image_with_fewer_positions_than_queries() -> None:
    ours, theirs = detectors(POSITIONS + 1)
    with pytest.raises(RuntimeError, match='out of range'):
        predict(theirs)
    assert torch.isfinite(predict(ours).bboxes).all()
