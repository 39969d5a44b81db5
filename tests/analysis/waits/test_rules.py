"""What makes the host wait, one operator at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor

from effnet_dense.analysis.waits.pretended_gpu import is_on_gpu, pretended_gpu
from effnet_dense.analysis.waits.rules import wait_reason


def reasons(run: Callable[[Tensor], Any], pinned: bool = False) -> list[str]:
    """Why the host waits in a call with [0, 1, 2, 3] on the GPU."""
    found: list[str | None] = []

    def listen(operator: Any, args: Any, kwargs: Any) -> None:
        found.append(wait_reason(operator, args, kwargs, is_on_gpu, lambda _: pinned))

    with pretended_gpu(lambda *_: None):
        x = torch.arange(4.0, device='cuda')
    with pretended_gpu(listen):
        run(x)
    return [reason for reason in found if reason]


@pytest.mark.parametrize(
    ('run', 'expected'),
    [
        (lambda x: x[0].item(), 'a value is read'),
        (lambda x: bool((x > 0).all()), 'a value is read'),
        (lambda x: x.tolist(), 'a copy to the host'),
        (lambda x: x.cpu(), 'a copy to the host'),
        (lambda x: torch.empty(4).copy_(x), 'a copy to the host'),
        (lambda x: torch.zeros(4).to(x.device), 'a copy from the host'),
        (lambda x: torch.tensor([1.0], device=x.device), 'a copy from the host'),
        (lambda x: x.new_tensor([1.0]), 'a copy from the host'),
        (lambda x: x.copy_(torch.zeros(4)), 'a copy from the host'),
        (lambda x: (x > 1).nonzero(), 'nonzero'),
        (lambda x: x[x > 1], 'a boolean mask'),
        (lambda x: x.__setitem__(x > 1, x[2:] + 1), 'a boolean mask'),
        (lambda x: x.masked_select(x > 1), 'masked_select'),
        (lambda x: x.unique(), 'unique'),
        (lambda x: x.long().bincount(), 'bincount'),
        (lambda x: torch.equal(x, x), 'equal'),
        (lambda x: x[torch.tensor([2, 1])], "the host's indices"),
        (lambda x: torchvision.ops.nms(x.view(1, 4), x[:1], 0.5), 'nms'),
        (
            lambda x: torch.zeros(2**15).to(x.device, non_blocking=True),
            'a copy from pageable memory',
        ),
    ],
)
def test_waits(run: Callable[[Tensor], Any], expected: str) -> None:
    assert reasons(run) == [expected]


@pytest.mark.parametrize(
    'run',
    [
        lambda x: x.to('cuda'),
        lambda x: torch.zeros(4).to(x.device, non_blocking=True),
        lambda x: x.__setitem__(x > 1, 0),
        lambda x: torch.where(x > 1, x, 0),
        lambda x: x[x.long()],
        lambda x: x.gather(0, x.argmax(0, keepdim=True)),
        lambda x: torch.zeros(4, device=x.device) + torch.arange(4, device=x.device),
        lambda x: x.masked_fill(x > 1, 2.0).sum(),
        lambda x: torch.stack([x, x]).flip(0),
    ],
)
def test_does_not_wait(run: Callable[[Tensor], Any]) -> None:
    assert reasons(run) == []


def test_pinned_memory_needs_no_staging() -> None:
    def copy(x: Tensor) -> None:
        torch.zeros(2**15).to(x.device, non_blocking=True)

    assert reasons(copy, pinned=True) == []
