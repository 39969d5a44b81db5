"""Modules as LiteRT's files, with their metadata."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from effnet_dense.deployment.deploy import FixedFusion
from effnet_dense.exporting.dense import Dense
from effnet_dense.exporting.litert_file import (
    PlainFusion,
    check_outputs,
    import_converter,
    to_litert,
    use_plain_fusions,
)
from effnet_dense.models.bifpn import Fusion
from effnet_dense.runtimes.litert_session import litert_runner

pytest.importorskip('ai_edge_litert', reason='LiteRT is not installed')


@pytest.mark.parametrize(
    'fusion', [FixedFusion([0.25, 0.7, 0.05], 'symmetric'), Fusion(3, 'sum', 'same')]
)
def test_fusions_are_plain_sums_and_products(fusion: torch.nn.Module) -> None:
    network = torch.nn.Sequential(fusion, torch.nn.ReLU())
    features = [torch.randn(1, 2, side, side) for side in (9, 5, 18)]
    wanted = network[0](*features)
    use_plain_fusions(network)
    assert type(network[0]) is PlainFusion
    torch.testing.assert_close(network[0](*features), wanted)
    graph = torch.export.export(network[0], tuple(features)).graph
    assert not any('alpha' in node.kwargs for node in graph.nodes)
    resizes = [node.args[1] for node in graph.nodes if 'upsample' in str(node.target)]
    assert resizes == [[10, 10]]


def test_a_missing_converter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'litert_torch', None)
    with pytest.raises(ImportError, match=r'own: bash tools/environment\.sh litert$'):
        import_converter()


class Network(torch.nn.Module):
    """Images → a map, and a row for each place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 5, 3, stride=2, padding=1)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return (N, 5, H / 2, W / 2) and (N, H · W / 4, 5)."""
        found = self.conv(images).sigmoid()
        return found, found.flatten(2).transpose(1, 2)


class Unknown(torch.nn.Module):
    """Asks for values while it is traced."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the images, or not."""
        return images if images.sum() > 0 else -images


def test_maps_have_channels_last() -> None:
    pytest.importorskip('litert_torch', reason='needs tools/environment.sh litert')
    torch.manual_seed(0)
    dense = Dense(Network().eval(), ['map', 'another'], {})
    images = torch.randn(2, 3, 8, 12)
    content = to_litert(dense, images)
    run = litert_runner(content)
    found = run(images.numpy())
    check_outputs(content, dense, images)
    with torch.no_grad():
        wanted = dense.module(images)
    for name, value in zip(dense.outputs, wanted, strict=True):
        np.testing.assert_allclose(found[name], value.numpy(), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r'^LiteRT cannot convert this model: ') as error:
        to_litert(Dense(Unknown(), ['logits'], {}), images)
    assert '\n' not in str(error.value)


class Enlarged(torch.nn.Module):
    """Three pixels as five, which LiteRT takes from other places."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, 3, 3) → (N, C, 5, 5)."""
        return torch.nn.functional.interpolate(images, (5, 5), mode='nearest')


def test_what_the_converter_changes_is_refused() -> None:
    pytest.importorskip('litert_torch', reason='needs tools/environment.sh litert')
    dense, images = Dense(Enlarged(), ['logits'], {}), torch.zeros(1, 4, 3, 3)
    with pytest.raises(ValueError, match=r'^LiteRT gives other logits .* at 3 × 3 pixels: choose'):
        check_outputs(to_litert(dense, images), dense, images)
