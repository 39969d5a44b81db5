"""The host's work in a step, at two narrow networks."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.host_time import count_operators, cuda_code_path, time_in_turns
from effnet_dense.lean import layers
from effnet_dense.models import EfficientNet
from effnet_dense.ops import fused_norm


def test_operators_by_hand() -> None:
    x = torch.ones(3, requires_grad=True)

    def step() -> Tensor:  # a sine, the gradient's ones, and a cosine times it
        return torch.autograd.grad(x.sin(), x, torch.ones(3))[0]

    assert count_operators(step) == 4


def test_cudas_code_path_on_the_cpu() -> None:
    torch.manual_seed(0)
    model = EfficientNet(dict(base='b0', width=0.25, depth=0.3), lean=1).train()
    model = model.to(memory_format=torch.channels_last)
    x = torch.randn(2, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    supports, can_join = fused_norm.supports, layers.can_join

    def step() -> None:
        sum(feature.sum() for feature in model(x)).backward()

    plain = count_operators(step)
    with cuda_code_path():
        assert not fused_norm.supports(x, None, None)
        assert count_operators(step) != plain
    assert (fused_norm.supports, layers.can_join) == (supports, can_join)


def test_turns() -> None:
    order: list[str] = []
    seconds = time_in_turns([lambda: order.append('a'), lambda: order.append('b')], rounds=2)
    assert order == list('abbaab' + 'baab')
    assert [len(own) for own in seconds] == [2, 2]
