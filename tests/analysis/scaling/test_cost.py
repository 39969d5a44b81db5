"""Costs counted on the meta device are those of real tensors."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from effnet_dense.analysis.counts import count_gflops, count_parameters
from effnet_dense.analysis.memory.model import set_lean
from effnet_dense.analysis.saved_memory import MIB, measure_saved_memory
from effnet_dense.analysis.scaling import cost as module
from effnet_dense.analysis.scaling.cost import (
    network_cost,
    network_gflops,
    network_latency,
    network_saved_mib,
)
from effnet_dense.analysis.scaling.networks import Network, published_networks
from effnet_dense.analysis.scaling.published import CLASSIFIERS, DETECTORS
from effnet_dense.analysis.settings import Settings
from effnet_dense.scaling import DETECTORS as ALL_DETECTORS
from effnet_dense.scaling import FAMILIES


def row(task: str, name: str) -> Network:
    return next(network for network in published_networks(task) if network.name == name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('task', 'name'), [('classification', 'b0'), ('detection', 'd0'), ('segmentation', 'b0')]
)
def test_the_same_as_with_memory(task: str, name: str) -> None:
    network = row(task, name).at(64)
    cost = network_cost(network, [0, 1])
    model = network.make().train()
    assert cost.parameters == count_parameters(model)
    assert cost.gflops == count_gflops(model, torch.randn(1, 3, 64, 64))
    for lean, saved in cost.saved.items():
        set_lean(model, lean)
        # oneDNN needs no padded copies, which GPUs and the meta device have.
        with torch.backends.mkldnn.flags(enabled=False):
            real = measure_saved_memory(model, torch.randn(2, 3, 64, 64))
        assert saved == real.bytes / 2 / MIB
    assert cost.saved[1] < cost.saved[0]
    assert (network_gflops(network), network_saved_mib(network, 1)) == (cost.gflops, cost.saved[1])


def test_published_sizes() -> None:
    b1 = network_cost(row('classification', 'b1'), [])
    assert b1.parameters == 7_794_184
    assert b1.gflops == pytest.approx(0.70, abs=0.02)
    assert network_cost(row('detection', 'd0').at(64), []).parameters == 3_880_067


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


def test_latency_is_the_best_of_the_deployed_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def time_interleaved(tasks: list[Any], repeats: int, cuda: bool) -> list[list[float]]:
        (task,) = tasks
        assert task.x.shape == (1, 3, 64, 64)
        assert task.x.is_contiguous(memory_format=torch.channels_last)
        assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in task.model.modules())
        assert task().shape == (1, 1000)
        return [[0.004, 0.003]]

    monkeypatch.setattr(module, 'time_interleaved', time_interleaved)
    network = row('classification', 'lite0').at(64)
    assert network_latency(network, Settings(repeats=2)) == 3.0
