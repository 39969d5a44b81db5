"""Compiled parts save what their level of lean training allows, and compute the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch._functorch.config as functorch
from torch import Tensor, nn

from effnet_dense import lean
from effnet_dense.analysis.saved_memory import count_by_hooks
from effnet_dense.engine.compiled import compile_parts
from effnet_dense.engine.memory_budget import SHARES, lean_level, within_budget
from effnet_dense.models import EfficientNet

BACKEND = 'aot_eager_decomp_partition'
"""Splits graphs as inductor does, and runs them without generating code."""


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def network(level: int) -> nn.Module:
    torch.manual_seed(0)
    arch = dict(base='b0', width=0.25, depth=0.3)
    return EfficientNet(arch, out_indices=(2,), drop_path_rate=0.0, lean=level).train()


def gradients(model: nn.Module, x: Tensor) -> list[Tensor]:
    """Outputs, running statistics and gradients of a step."""
    outputs = model(x)
    torch.stack([out.square().mean() for out in outputs]).sum().backward()
    return [*outputs, *model.buffers(), *(p.grad for p in model.parameters() if p.grad is not None)]


@pytest.mark.slow
def test_saves_less_and_computes_the_same() -> None:
    x = torch.randn(2, 3, 64, 64)
    expected = gradients(network(0), x)
    saved = []
    for level in lean.LEVELS:
        torch._dynamo.reset()
        model = network(level)
        compile_parts(model, backend=BACKEND, fullgraph=True)
        found = gradients(model, x)
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)
        saved.append(count_by_hooks(model, x))
    assert saved[1] < 0.6 * saved[0]
    assert saved[2] < 0.75 * saved[1]


def test_set_during_calls_only() -> None:
    before = functorch.activation_memory_budget
    seen: list[float] = []

    def compiled(value: int) -> int:
        seen.append(functorch.activation_memory_budget)
        return 1 // value

    for level in lean.LEVELS:
        assert within_budget(compiled, level)(1) == 1
        assert functorch.activation_memory_budget == before
    assert seen == [before, SHARES[1], SHARES[2]]
    with pytest.raises(ZeroDivisionError):
        within_budget(compiled, 1)(0)
    assert functorch.activation_memory_budget == before


def test_level_of_a_part() -> None:
    assert lean_level(nn.Conv2d(3, 4, 1)) == 0
    model = network(1)
    assert lean_level(model) == 1
    lean.apply(model, 2)
    assert lean_level(nn.Sequential(nn.ReLU(), model)) == 2
