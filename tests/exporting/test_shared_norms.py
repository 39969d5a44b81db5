"""Convolutions that levels share are in a file once, with the same results."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from effnet_dense.deployment.deploy import folded
from effnet_dense.exporting.network import DetectionNetwork
from effnet_dense.exporting.shared_norms import ScaleShift, scale_and_shift
from tests.helpers.exported_models import efficientdet
from tests.helpers.tiny_models import detector, rtmdet


def test_a_norm() -> None:
    for norm in (nn.BatchNorm2d(3, eps=0.1), nn.BatchNorm2d(3, affine=False)):
        norm.train()(torch.randn(4, 3, 5, 5) * 3 + 1)
        images = torch.randn(2, 3, 4, 4)
        torch.testing.assert_close(ScaleShift(norm)(images), norm.eval()(images))


@pytest.mark.parametrize('config', [detector, efficientdet, rtmdet])
def test_a_head(config: Any) -> None:
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model: Any = MODELS.build(config().model)
    model.bbox_head.train()
    for level in (8, 4, 4, 2, 2):  # statistics of its own for each norm
        model.bbox_head(model.neck(model.backbone(torch.randn(2, 3, 16 * level, 128))))
    model.eval()
    shared, copies = DetectionNetwork(model, share=True), DetectionNetwork(model)
    images = torch.randn(1, 3, 128, 128)
    with torch.no_grad():
        torch.testing.assert_close(shared(images), copies(images), rtol=1e-3, atol=1e-4)
    convolutions = [m for m in shared.head.modules() if isinstance(m, nn.Conv2d)]
    before = [m for m in model.bbox_head.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == len(before)
    assert sum(isinstance(m, ScaleShift) for m in shared.head.modules()) >= 3
    assert not any(isinstance(m, nn.BatchNorm2d) for m in shared.modules())
    assert any(isinstance(m, nn.BatchNorm2d) for m in model.modules())


def test_a_convolution_of_one_norm_is_folded() -> None:
    init_default_scope('mmdet')
    model: Any = MODELS.build(detector().model)
    assert not any(isinstance(m, ScaleShift) for m in scale_and_shift(model.backbone).modules())
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded(model.backbone).modules())
