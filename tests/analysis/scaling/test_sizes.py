"""Sizes counted without memory are those of real tensors."""

from __future__ import annotations

import pytest
import torch

from effnet_dense.analysis.counts import gflops, parameters
from effnet_dense.analysis.memory.model import set_lean
from effnet_dense.analysis.saved import MIB, saved_bytes
from effnet_dense.analysis.scaling.networks import Network, published_networks
from effnet_dense.analysis.scaling.published import CLASSIFIERS, DETECTORS
from effnet_dense.analysis.scaling.sizes import count, count_gflops, count_saved
from effnet_dense.scaling import DETECTORS as ALL_DETECTORS
from effnet_dense.scaling import FAMILIES


def row(task: str, name: str) -> Network:
    return next(network for network in published_networks(task) if network.name == name)


@pytest.mark.parametrize(
    ('task', 'name'), [('classification', 'b0'), ('detection', 'd0'), ('segmentation', 'b0')]
)
def test_the_same_as_with_memory(task: str, name: str) -> None:
    network = row(task, name).at(64)
    sizes = count(network, [0, 1])
    model = network.make().train()
    assert sizes.parameters == parameters(model)
    assert sizes.gflops == gflops(model, torch.randn(1, 3, 64, 64))
    for lean, saved in sizes.saved.items():
        set_lean(model, lean)
        # oneDNN needs no padded copies, which GPUs and the meta device have.
        with torch.backends.mkldnn.flags(enabled=False):
            real = saved_bytes(model, torch.randn(2, 3, 64, 64))
        assert saved == real.bytes / 2 / MIB
    assert sizes.saved[1] < sizes.saved[0]
    assert (count_gflops(network), count_saved(network, 1)) == (sizes.gflops, sizes.saved[1])


def test_published_sizes() -> None:
    b1 = count(row('classification', 'b1'), [])
    assert b1.parameters == 7_794_184
    assert b1.gflops == pytest.approx(0.70, abs=0.02)
    assert count(row('detection', 'd0').at(64), []).parameters == 3_880_067


def test_every_published_network_has_an_accuracy() -> None:
    assert set(CLASSIFIERS) == set(FAMILIES)
    assert set(DETECTORS) == set(ALL_DETECTORS)


def test_unknown_families() -> None:
    with pytest.raises(ValueError, match=r"task must be one of .*, got 'depth'"):
        published_networks('depth')
    with pytest.raises(ValueError, match=r"family must be one of .*, got 'c'"):
        published_networks('detection', 'c')
    with pytest.raises(ValueError, match="no network of the family 'v2' is published for"):
        published_networks('detection', 'v2')
