"""Folding of peers' norms."""

from __future__ import annotations

import pytest
import torch

from benchmarks import features
from benchmarks.fold_norms import fold_norms
from benchmarks.implementation import collect_implementations
from benchmarks.prepare import prepare_for_inference
from effnet_dense.analysis.latency import calibrate_norms
from effnet_dense.analysis.settings import Settings
from tests.helpers import fake_implementation as fake


def test_convolutions_that_run_twice_keep_their_norms() -> None:
    model = fake.FakeNetwork()
    calibrate_norms(model, fake.images())
    folded = fold_norms(model, fake.images())
    assert isinstance(folded.norm, torch.nn.Identity)
    assert all(isinstance(norm, torch.nn.BatchNorm2d) for norm in folded.norms)
    assert isinstance(model.norm, torch.nn.BatchNorm2d)


def test_changed_results_are_refused() -> None:
    class Residual(fake.FakeNetwork):
        def forward(self, x):
            x = self.first(x)
            return self.norm(x) + x

    model = Residual()
    calibrate_norms(model, 3 + fake.images())
    with pytest.raises(ValueError, match='folding norms changed the results'):
        fold_norms(model, fake.images())


@pytest.mark.parametrize('ecosystem', ['timm', 'torchvision', 'mmdet'])
def test_peers_fold_completely_and_keep_their_results(ecosystem: str) -> None:
    found, unavailable = collect_implementations([], features.PEERS, 'b0', False, [ecosystem])
    if unavailable:
        pytest.skip(unavailable[0].reason)
    settings = Settings(64, batch=1)
    folded = prepare_for_inference(
        found[0].in_mode('deployed'), found[0].build(settings), settings.images(2, False)
    )
    norms = [module for module in folded.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert not norms
