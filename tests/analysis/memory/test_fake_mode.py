"""Values where they are known, shapes where they are not, and upper bounds of the shapes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torchvision
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from effnet_dense.analysis.memory.byte_counter import ByteCounter
from effnet_dense.analysis.memory.fake_mode import MixedFakeMode, ZerosOnHost


@pytest.fixture
def unknown() -> Iterator[Tensor]:
    """A tensor (3, 4) without values, inside the modes that handle it."""
    mode = MixedFakeMode(ByteCounter())
    fake = mode.make_fake(torch.ones(3, 4))
    with mode, ZerosOnHost():
        yield fake


def test_known_values_are_computed(unknown: Tensor) -> None:
    boxes = torch.arange(6.0)
    assert not isinstance(boxes, FakeTensor)
    assert (boxes[boxes > 3] * 2).tolist() == [8, 10]
    assert isinstance(boxes[:4] + unknown, FakeTensor)


def test_a_known_mask_chooses_what_it_says(unknown: Tensor) -> None:
    mask = torch.tensor([True, False, True])
    assert unknown[mask].shape == (2, 4)
    unknown[mask] = torch.zeros(4)
    assert unknown[mask, torch.tensor([0, 1])].shape == (2,)


def test_an_unknown_mask_chooses_all(unknown: Tensor) -> None:
    assert unknown[unknown > 0].shape == (12,)
    assert torch.ones(3, 4)[unknown > 0].shape == (12,)
    assert (unknown > 0).nonzero().shape == (12, 2)
    assert unknown.masked_select(unknown > 0).shape == (12,)
    assert len(unknown.unique()) == 12


def test_unknown_numbers(unknown: Tensor) -> None:
    assert bool((unknown > 0).all())
    assert float(unknown.sum()) == 1.0
    assert int(unknown.long().max()) == 1


def test_no_box_suppresses_another(unknown: Tensor) -> None:
    assert torchvision.ops.nms(unknown, unknown[:, 0], 0.5).shape == (3,)


def test_known_tensors_keep_their_values(unknown: Tensor) -> None:
    """They still determine shapes after an unknown value was written into them."""
    target = torch.zeros(3, 4)
    target[1] = unknown[0]
    assert target.sum() == 0
    assert not isinstance(target, FakeTensor)


def test_the_host_reads_zeros(unknown: Tensor) -> None:
    assert unknown.cpu().tolist() == [[0.0] * 4] * 3
    assert unknown.detach().numpy().shape == (3, 4)


def test_bytes_are_counted() -> None:
    counter = ByteCounter()
    mode = MixedFakeMode(counter)
    x = mode.make_fake(torch.ones(1000)).requires_grad_()
    with mode:
        y = (x.exp() * torch.ones(1000)).sum()
    # exp saves its output, the product what it was multiplied with; the sum is one number.
    assert counter.live_bytes() == 4000 + 4000 + 4
    assert counter.peak == 3 * 4000 + 4
    assert y.shape == ()


def test_an_operator_without_a_bound_is_named(unknown: Tensor) -> None:
    with pytest.raises(ValueError, match=r'depends on its predictions, by aten\.bincount'):
        unknown.long().flatten().bincount()
