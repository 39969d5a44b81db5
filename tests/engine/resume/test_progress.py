"""Positions, random states and pending gradients."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from effnet_dense.engine.resume.progress import (
    Position,
    own_random_state,
    pending_gradients,
    random_state,
    restore_gradients,
    set_random_state,
)


@pytest.mark.parametrize(
    ('images', 'batch'), [(4, 5), (2, 10), (8, 2), (3, 6), (0, 5)], ids=lambda value: str(value)
)
def test_a_position_for_another_batch_size(images: int, batch: int) -> None:
    position = Position(epoch=1, batch=5, images=4, validated=False)
    assert position.with_images(images) == Position(1, batch, images, False)


def test_an_unknown_batch_size_keeps_the_batch() -> None:
    assert Position(batch=5, images=0).with_images(8) == Position(batch=5, images=8)


def draw() -> list[float]:
    return [random.random(), random.gauss(0, 1), np.random.rand(), float(torch.rand(()))]


def test_random_states_survive_a_file(tmp_path: Path) -> None:
    random.gauss(0, 1)  # keeps a second number
    torch.save(random_state(), tmp_path / 'state.pth')
    expected = draw()
    set_random_state(torch.load(tmp_path / 'state.pth', weights_only=True))
    assert draw() == expected


def test_states_of_another_number_of_processes() -> None:
    state = random_state()
    assert own_random_state([state]) is state
    assert own_random_state([state, state]) is None


def test_gradients_wait_only_while_they_are_accumulated() -> None:
    model = nn.Linear(2, 1)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1.0), accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 4)
    wrapper.update_params(model(torch.ones(1, 2)).sum())
    gradients = pending_gradients(nn.DataParallel(model), wrapper)
    assert {name: g.tolist() for name, g in gradients.items()} == {
        'weight': [[0.5, 0.5]],
        'bias': [0.5],
    }
    other = nn.Linear(2, 1)
    restore_gradients(other, gradients)
    assert other.weight.grad is not None and other.weight.grad.tolist() == [[0.5, 0.5]]
    wrapper.update_params(model(torch.ones(1, 2)).sum())
    assert pending_gradients(model, wrapper) == {}
