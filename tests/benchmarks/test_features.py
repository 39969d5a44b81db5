"""Backbones of every installed peer."""

from __future__ import annotations

import torch

from benchmarks import features
from benchmarks.implementation import collect_implementations
from effnet_dense.analysis.counts import count_parameters
from effnet_dense.analysis.settings import Settings


def test_every_peer_returns_the_same_shapes_and_counts() -> None:
    ours = features.ours('b0', [1], False)
    found, _ = collect_implementations(ours, features.PEERS, 'b0', False, None)
    settings = Settings(64, batch=1)
    for implementation in found:
        model = implementation.build(settings)
        model.eval()  # mmdet's returns None
        with torch.no_grad():
            shapes = [tuple(feature.shape) for feature in model(settings.images(1, False))]
        assert shapes == [(1, 40, 8, 8), (1, 112, 4, 4), (1, 320, 2, 2)], implementation.name
        head = 320 * 1280 + 2 * 1280
        assert count_parameters(model) in (3_595_388, 3_595_388 + head), implementation.name
