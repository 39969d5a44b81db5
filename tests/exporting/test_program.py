"""Programs of torch.export: what is in them, and what cannot be traced."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from effnet_dense.exporting.program import (
    check_name,
    check_precision,
    first_line,
    runner,
    stored,
    traced,
)
from tests.helpers.exported_programs import Scaled, needs_pt2


@pytest.fixture(autouse=True)
def _exports() -> None:
    needs_pt2()


class Pair(nn.Module):
    """Returns two tensors, by way of a transposed weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.arange(6.0).view(2, 3).t())

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return images + 1, images.mean() * self.weight


def test_what_is_traced() -> None:
    module = Pair().eval()
    assert not module.weight.is_contiguous()
    program = traced(module, torch.zeros(1, 3, 4, 6))
    assert module.weight.is_contiguous()
    kept = {name for node in program.graph.nodes for name in node.meta}
    assert kept == {'val'} and __file__ not in str(program.graph_module.code)
    images = torch.rand(1, 3, 4, 6)
    with torch.no_grad():
        wanted = module(images)
    for value, reference in zip(runner(program)(images.numpy()), wanted, strict=True):
        torch.testing.assert_close(torch.from_numpy(value), reference)
    (single,) = runner(traced(Scaled().eval(), images))(images.numpy())
    torch.testing.assert_close(torch.from_numpy(single), images)


class Undecided(nn.Module):
    """Depends on values."""

    def forward(self, images: Tensor) -> Tensor:
        return images[: int(images.sum())] if images.sum() > 0 else images


def test_what_cannot_be_traced() -> None:
    with pytest.raises(ValueError, match=r'^Undecided cannot be exported: .+') as info:
        traced(Undecided(), torch.zeros(1, 3, 4, 4))
    assert '\n' not in str(info.value)


def test_names_and_precisions() -> None:
    check_name(Path('a.pte'), '.pte')
    with pytest.raises(ValueError, match=r"expected out to be a name with \.pte, got 'a\.onnx'"):
        check_name(Path('a.onnx'), '.pte')
    check_precision('torch', 'fp32', {'fp16': 'no'})
    with pytest.raises(ValueError, match=r'^torch has no precision fp16: no$'):
        check_precision('torch', 'fp16', {'fp16': 'no'})
    with pytest.raises(ValueError, match='have no precision int8'):
        stored(None, 'int8')  # type: ignore[arg-type]


def test_first_line() -> None:
    assert first_line(ValueError('\n a\nb')) == 'a'
    assert first_line(KeyError()) == 'KeyError'
