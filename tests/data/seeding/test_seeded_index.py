"""Generators seeded from an index."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator
from types import SimpleNamespace

import albumentations
import numpy as np
import pytest
import torch

from effnet_dense.data.seeding import SeededIndex, seed_generators
from effnet_dense.data.seeding.seeded_index import find_composes


def test_an_error_puts_the_generators_back() -> None:
    def broken() -> Iterator[None]:
        with seed_generators(SeededIndex(0, (1, 2)), None):
            raise KeyError('x')
        yield

    state = random.getstate()
    with pytest.raises(KeyError):
        next(broken())
    assert random.getstate() == state


def test_an_index_is_an_integer_that_survives_pickling() -> None:
    index = pickle.loads(pickle.dumps(SeededIndex(3, (5, 1, 0))))
    assert isinstance(index, SeededIndex)
    assert (index, index.entropy, [*'abcd'][index]) == (3, (5, 1, 0), 'd')


def test_numbers_depend_on_index_and_entropy() -> None:
    def numbers(index: int, *entropy: int) -> tuple[float, ...]:
        with seed_generators(SeededIndex(index, entropy), None):
            return random.random(), np.random.rand(), float(torch.rand(1))

    assert numbers(3, 5, 0) == numbers(3, 5, 0)
    several = [numbers(3, 5, 0), numbers(4, 5, 0), numbers(3, 6, 0), numbers(3, 5, 1)]
    for values in zip(*several, strict=True):
        assert len(set(values)) == 4


def test_compositions_are_found_wherever_a_pipeline_keeps_them() -> None:
    made = [albumentations.Compose([]) for _ in range(3)]
    albu, policy, wrapper = (SimpleNamespace() for _ in range(3))
    albu.aug, policy.transforms = made[1], [made[2]]
    wrapper.dataset = SimpleNamespace(pipeline=SimpleNamespace(transforms=[albu, policy]))
    assert list(find_composes([made[0], wrapper, 'x'])) == made
