"""Radii and bounds in the network's inputs, and back to pixels."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.models import DetDataPreprocessor
from mmengine.structures import BaseDataElement
from mmseg.models import SegDataPreProcessor

from effnet_dense.robustness.pixels import as_rgb, ball_around, normalisation

MEAN, STD = [100.0, 110.0, 120.0], [50.0, 60.0, 51.0]


@pytest.fixture(params=[DetDataPreprocessor, SegDataPreProcessor])
def preprocessor(request: pytest.FixtureRequest) -> Any:
    return request.param(mean=MEAN, std=STD, bgr_to_rgb=True)


def test_radius_and_bounds_are_those_of_pixels(preprocessor: Any) -> None:
    inputs = torch.zeros(1, 3, 4, 6)
    around = ball_around(preprocessor, inputs, [SimpleNamespace(img_shape=(3, 5))], epsilon=4)
    for channel, (mean, std) in enumerate(zip(MEAN, STD, strict=True)):
        torch.testing.assert_close(around.radius[0, channel, 0, 0], torch.tensor(4 / std))
        torch.testing.assert_close(around.low[0, channel, 0, 0], torch.tensor(-mean / std))
        torch.testing.assert_close(around.high[0, channel, 0, 0], torch.tensor((255 - mean) / std))
    assert (around.radius[0, :, 3:] == 0).all() and (around.radius[0, :, :, 5:] == 0).all()


def test_a_preprocessor_that_does_not_normalise() -> None:
    mean, std = normalisation(DetDataPreprocessor())
    assert mean.flatten().tolist() == [0] and std.flatten().tolist() == [1]


@pytest.mark.parametrize('exchange', [True, False])
@pytest.mark.parametrize('kind', [DetDataPreprocessor, SegDataPreProcessor])
def test_pixels_come_back_in_rgb(kind: Any, exchange: bool) -> None:
    made = kind(mean=MEAN, std=STD, bgr_to_rgb=exchange)
    bgr = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    packed = torch.from_numpy(bgr.transpose(2, 0, 1).copy())
    batch = dict(inputs=[packed], data_samples=[BaseDataElement()])
    if kind is DetDataPreprocessor:
        del batch['data_samples']
    inputs = made(batch, False)['inputs'][0]
    assert (as_rgb(made, inputs, (4, 6)) == bgr[..., ::-1]).all()
    assert as_rgb(made, inputs, (3, 5)).shape == (3, 5, 3)
