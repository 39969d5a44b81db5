"""Bytes of live tensor storages."""

from __future__ import annotations

import torch

from effnet_dense.analysis.memory.byte_counter import ByteCounter, Category


def test_storages_count_once_and_while_they_are_alive() -> None:
    counter = ByteCounter()
    x = torch.zeros(10)
    counter.track([x, x[2:], {'again': x}])
    counter.category = Category.ACTIVATIONS
    y = torch.zeros(5)
    counter.track(y)
    assert counter.live_bytes() == 60
    del x
    assert counter.live_bytes() == 20
    counter.track(torch.zeros(1))
    assert counter.live_bytes() == 20
    assert counter.peak == 60
    assert counter.peak_parts == {Category.PARAMETERS: 40, Category.ACTIVATIONS: 20}
    assert counter.peak_category == Category.ACTIVATIONS
    counter.reset_peak()
    assert counter.peak == 20
    del y


def test_blocks_and_empty_tensors() -> None:
    counter = ByteCounter(block=512)
    kept = [torch.zeros(1), torch.zeros(129), torch.zeros(0)]
    counter.track(kept)
    assert counter.live_bytes() == 512 + 1024


def test_relabelled_tensors() -> None:
    counter = ByteCounter(category=Category.BACKWARD)
    x = torch.zeros(3)
    counter.track(x)
    counter.relabel([x], Category.GRADIENTS)
    y = torch.zeros(1)
    counter.track(y)
    assert counter.peak_parts == {Category.GRADIENTS: 12, Category.BACKWARD: 4}
    del x
    assert counter.live_bytes() == 4
