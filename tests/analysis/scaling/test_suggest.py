"""Budgets."""

from __future__ import annotations

import pytest

from effnet_dense.analysis.scaling.cost import network_gflops
from effnet_dense.analysis.scaling.networks import (
    backbone_network,
    backbone_of_phi,
    detector_network,
)
from effnet_dense.analysis.scaling.suggest import (
    Suggestion,
    config_lines,
    largest_within,
    phi_within,
    published_within,
)
from effnet_dense.scaling import compound_detector, detector

ANY = backbone_network('any', 'b0', 224)


@pytest.mark.parametrize('last', [7, 80])
@pytest.mark.parametrize('answer', [*range(0, 8), 10, 11, 29, 30, 31, 69, 70, 79, 80])
def test_largest_within(answer: int, last: int) -> None:
    asked: list[int] = []

    def at(index: int) -> Suggestion:
        asked.append(index)
        assert 0 <= index <= last
        return Suggestion(ANY, float(index))

    found = largest_within(at, answer + 0.5, last)
    assert found is not None
    assert found.cost == min(answer, last)
    assert len(asked) == len(set(asked)) <= 10
    assert max(asked) <= max(10, 3 * answer + 30)


def test_nothing_fits() -> None:
    assert largest_within(lambda index: Suggestion(ANY, 1.0 + index), 0.5, 80) is None


@pytest.mark.slow
def test_a_backbone_for_gflops() -> None:
    found = phi_within(network_gflops, 0.6)
    larger = phi_within(network_gflops, 0.6, size=128)
    assert found is not None and larger is not None
    assert found.cost <= 0.6 < network_gflops(at_phi(found.network.arch['phi'] + 0.1))
    assert larger.network.size == 128
    assert larger.network.arch['phi'] > found.network.arch['phi']
    published = published_within(network_gflops, 0.6)
    assert published is not None
    assert published.network.name == 'b0'  # 0.39, and B1 has 0.69


def at_phi(phi: float):
    return backbone_of_phi(round(phi, 1))


def test_lines_to_paste() -> None:
    for sizes in (detector('d1'), compound_detector(2.4)):
        found: dict = {}
        exec(config_lines(detector_network('d', sizes)), found)
        assert found['model'] == sizes.model()
        assert found['image_size'] == (sizes.image_size,) * 2
    exec(config_lines(backbone_network('phi 1', dict(phi=1), 258)), found)
    assert found['model'] == dict(
        backbone=dict(arch=dict(phi=1)), neck=dict(in_channels=[48, 120, 352])
    )


def test_impossible_budgets() -> None:
    with pytest.raises(ValueError, match='a budget must be a positive number, got -1'):
        phi_within(network_gflops, -1)
    with pytest.raises(ValueError, match="one of backbone, efficientdet, got 'neck'"):
        published_within(network_gflops, 1, 'neck')
