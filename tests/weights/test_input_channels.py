"""Weights for RGB in models of other numbers of channels, compared with timm's."""

from __future__ import annotations

import pytest
import torch
from timm.models import adapt_input_conv

from effnet_dense import load_weights
from effnet_dense.models import EfficientNet
from effnet_dense.weights.input_channels import adapt_input


@pytest.mark.parametrize('channels', [1, 2, 3, 4, 5, 7])
def test_equals_timm(channels: int) -> None:
    weight = torch.randn(8, 3, 3, 3)
    expected = adapt_input_conv(channels, weight)
    torch.testing.assert_close(adapt_input(weight, channels), expected, rtol=0, atol=0)


@pytest.mark.parametrize('channels', [1, 5])
def test_loaded_into_the_stem(channels: int) -> None:
    rgb = EfficientNet('lite0', out_indices=(1,)).eval()
    model = EfficientNet('lite0', out_indices=(1,), in_channels=channels).eval()
    load_weights(model, rgb.state_dict())
    state, own = rgb.state_dict(), model.state_dict()
    stem = 'layers.0.conv.weight'
    assert torch.equal(own[stem], adapt_input(state[stem], channels))
    assert all(torch.equal(own[key], state[key]) for key in state if key != stem)
    grey = torch.randn(1, 1, 32, 32)
    if channels == 1:  # a grey image gives what it gives as RGB
        torch.testing.assert_close(model(grey)[0], rgb(grey.expand(-1, 3, -1, -1))[0])
    load_weights(model, own)  # its own are not changed
    assert all(torch.equal(model.state_dict()[key], own[key]) for key in own)
    with pytest.raises(ValueError, match=rf'\(N, {channels}, H, W\), got \(1, 3, 32, 32\)'):
        model(grey.expand(-1, 3, -1, -1))


def test_weights_of_other_channels_are_refused() -> None:
    five = EfficientNet('lite0', out_indices=(1,), in_channels=5)
    with pytest.raises(ValueError, match=r'has shape \(32, 5, 3, 3\)'):
        load_weights(EfficientNet('lite0', out_indices=(1,)), five.state_dict())


@pytest.mark.parametrize('channels', [0, -1, 1.0, True, '3', None])
def test_numbers_of_channels(channels: object) -> None:
    with pytest.raises(ValueError, match='in_channels must be a number from 1'):
        EfficientNet('lite0', in_channels=channels)  # type: ignore[arg-type]
