"""Two nets as one autograd function: numerical gradients, memory format and errors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from effnet_dense.models.layers import SeparableConv
from effnet_dense.ops.joined_nets import ACTIVATIONS, Net, joined_nets

CHANNELS = 2


def net(outputs: int, seed: int) -> Net:
    torch.manual_seed(seed)
    norms = [[nn.BatchNorm2d(CHANNELS).double() for _ in range(2)]]
    for norm in norms[0]:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -1, 1)
    convs = [SeparableConv(CHANNELS, width).double() for width in (CHANNELS, outputs)]
    return Net(convs, norms)


def features() -> list[Tensor]:
    return [torch.randn(2, CHANNELS, *side, dtype=torch.float64) for side in ((3, 4), (2, 1))]


@pytest.mark.parametrize('act', ACTIVATIONS)
def test_gradients_are_those_of_differences(act: str) -> None:
    nets = net(3, 0), net(1, 1)
    weights: list[Any] = [x for each in nets for conv in each.convs for x in conv.parameters()]
    weights += [x for each in nets for norm in each.norms[0] for x in norm.parameters()]
    torch.manual_seed(2)
    inputs = [x.requires_grad_() for x in features()]

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(x for out in joined_nets(*nets, act, tensors[:2]) for x in out)

    # The weights are read from the nets, whose parameters these are.
    assert torch.autograd.gradcheck(run, (*inputs, *weights))


def test_a_net_has_its_own_outputs_in_channels_last_memory() -> None:
    first, second = joined_nets(net(3, 0), net(8, 1), 'silu', features())
    assert [tuple(x.shape) for x in first] == [(2, 3, 3, 4), (2, 3, 2, 1)]
    assert [tuple(x.shape) for x in second] == [(2, 8, 3, 4), (2, 8, 2, 1)]
    for x in (*first, *second):
        assert x.is_contiguous(memory_format=torch.channels_last)


def test_statistics_of_each_norm_are_updated() -> None:
    nets = net(3, 0), net(1, 1)
    joined_nets(*nets, 'silu', features())
    norms = [norm for each in nets for norm in each.norms[0]]
    assert all(int(norm.num_batches_tracked) == 1 for norm in norms)
    assert len({tuple(norm.running_mean.tolist()) for norm in norms}) == 4


def test_some_levels_of_a_net() -> None:
    whole = net(3, 0)
    part = whole.on_levels([1])
    assert part.convs is whole.convs
    assert part.norms == [[whole.norms[0][1]]]


def test_a_single_value_per_channel() -> None:
    with pytest.raises(ValueError, match=r'more than one value per channel, got \(1, 2, 1, 1\)'):
        joined_nets(net(3, 0), net(1, 1), 'silu', [features()[0], torch.zeros(1, 2, 1, 1)])


def test_second_derivatives_are_refused() -> None:
    inputs = [x.requires_grad_() for x in features()]
    first, _ = joined_nets(net(3, 0), net(1, 1), 'silu', inputs)
    (gradient,) = torch.autograd.grad(first[0].square().sum(), inputs[0], create_graph=True)
    with pytest.raises(RuntimeError, match='once_differentiable'):
        gradient.sum().backward()
