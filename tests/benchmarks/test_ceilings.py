"""The ceilings' operands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from torch import Tensor
from torch.overrides import TorchFunctionMode

from benchmarks import ceilings
from effnet_dense.analysis.settings import Settings


class Operands(TorchFunctionMode):
    """Keeps what is multiplied and copied."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.__name__ in ('mm', 'copy_'):
            self.found += args[func.__name__ == 'copy_' :]
        return func(*args, **(kwargs or {}))


def test_operands_are_random(monkeypatch: pytest.MonkeyPatch) -> None:
    operands = Operands()

    def run(tasks: Sequence[Callable[[], object]], *_: Any) -> list[list[float]]:
        with operands:
            for task in tasks:
                task()
        return [[0.5], [0.25]]

    monkeypatch.setattr(ceilings, 'time_interleaved', run)
    found = ceilings.measure_ceilings(Settings(precision='bf16'), side=8, count=100)
    assert (found.gflops, found.copy_gb) == (2 * 8**3 / 0.5 / 1e9, 2 * 400 / 0.25 / 1e9)
    assert len(operands.found) == 3
    assert all(tensor.float().std() > 0.5 for tensor in operands.found)
