"""Bytes of living storages."""

from __future__ import annotations

import torch

from effnet_dense.analysis.memory.tally import Kind, Tally


def test_storages_count_once_and_while_they_live() -> None:
    tally = Tally()
    x = torch.zeros(10)
    tally.see([x, x[2:], {'again': x}])
    tally.kind = Kind.ACTIVATIONS
    y = torch.zeros(5)
    tally.see(y)
    assert tally.alive() == 60
    del x
    assert tally.alive() == 20
    tally.see(torch.zeros(1))
    assert tally.alive() == 20
    assert tally.peak == 60
    assert tally.peak_parts == {Kind.PARAMETERS: 40, Kind.ACTIVATIONS: 20}
    assert tally.peak_kind == Kind.ACTIVATIONS
    tally.forget_peak()
    assert tally.peak == 20
    del y


def test_blocks_and_empty_tensors() -> None:
    tally = Tally(block=512)
    kept = [torch.zeros(1), torch.zeros(129), torch.zeros(0)]
    tally.see(kept)
    assert tally.alive() == 512 + 1024


def test_a_tensor_turns_out_to_be_something_else() -> None:
    tally = Tally(kind=Kind.BACKWARD)
    x = torch.zeros(3)
    tally.see(x)
    tally.relabel([x], Kind.GRADIENTS)
    y = torch.zeros(1)
    tally.see(y)
    assert tally.peak_parts == {Kind.GRADIENTS: 12, Kind.BACKWARD: 4}
    del x
    assert tally.alive() == 4
