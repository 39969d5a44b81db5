"""The same results in another memory format."""

from __future__ import annotations

import torch

from effnet_dense.engine.channels_last import use_channels_last
from effnet_dense.models import EfficientNet
from tests.helpers import peers

ARCH = dict(width=0.25, depth=0.2)


def test_features_are_the_same_in_another_format() -> None:
    torch.manual_seed(0)
    model = peers.randomise_(EfficientNet(ARCH)).eval()
    x = torch.randn(2, 3, 64, 64)
    expected = model(x)
    use_channels_last(model)
    features = model(x)
    for a, b in zip(features, expected, strict=True):
        assert a.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_weights_and_their_gradients() -> None:
    model = EfficientNet(ARCH)
    use_channels_last(model)
    sum(x.sum() for x in model(torch.randn(2, 3, 64, 64))).backward()
    weight = model.layers[0].conv.weight
    for tensor in (weight, weight.grad):
        assert tensor.is_contiguous(memory_format=torch.channels_last)
