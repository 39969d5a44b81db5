"""EfficientDets: ours and effdet's have the same size and outputs."""

from __future__ import annotations

import pytest
import torch

from benchmarks import detectors
from benchmarks.implementation import collect_implementations
from effnet_dense.analysis.counts import count_parameters
from effnet_dense.analysis.settings import Settings


def test_same_size_and_outputs_as_the_peer_s() -> None:
    found, unavailable = collect_implementations(
        detectors.ours('d0', [1], False), detectors.peers(128), 'd0', False, None
    )
    if unavailable:
        pytest.skip(unavailable[0].reason)
    peer, own = (implementation.build(Settings(128)) for implementation in found)
    assert count_parameters(own) == count_parameters(peer) == 3_880_067
    x = torch.randn(2, 3, 128, 128)
    with torch.no_grad():
        for ours, theirs in zip(own(x), peer(x), strict=True):
            assert [level.shape for level in ours] == [level.shape for level in theirs]
