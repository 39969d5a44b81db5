"""Casting as autocast does is part of a compiled graph, on every kind of device."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from effnet_dense.ops.autocast import AVAILABLE, cast_operands, current_autocast


@pytest.fixture(autouse=True)
def _fresh_compiler() -> None:
    torch._dynamo.reset()


@pytest.mark.parametrize('device', sorted(AVAILABLE))
def test_the_query_does_not_break_a_graph(device: str) -> None:
    """PyTorch 2.6 to 2.11 cannot trace `is_autocast_available`."""

    def network(x: Tensor) -> Tensor:
        current_autocast(device)
        return x + 1

    compiled = torch.compile(network, backend='eager', fullgraph=True)
    assert torch.equal(compiled(torch.zeros(2)), torch.ones(2))


@pytest.mark.parametrize('device', ['cpu', 'meta'])
@pytest.mark.parametrize('enabled', [True, False])
def test_compiled_operands(enabled: bool, device: str) -> None:
    compiled = torch.compile(
        lambda x: cast_operands(x, None)[0] * 2, backend='eager', fullgraph=True
    )
    with torch.autocast('cpu', torch.bfloat16, enabled=enabled):
        found = compiled(torch.ones(2, device=device))
    assert found.dtype == (torch.bfloat16 if enabled and device == 'cpu' else torch.float32)
