"""Random numbers that depend only on the run's seed, the epoch and the sample.

Transforms use Python's, numpy's and torch's global generators, albumentations' their own. mmengine
seeds the global ones once, when a worker starts, so that a sample's augmentation depends on the
number of workers and on the samples before it, and without persistent workers every epoch repeats
the first. Here the index from the sampler carries seed and epoch to wherever the sample is made,
and all generators are seeded from them for that sample only.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils.data import get_worker_info

PARTS = ('dataset', 'datasets', 'pipeline', 'transforms', 'aug', 'transform')
"""Attributes in which datasets and pipelines keep their parts."""


class SeededIndex(int):
    """A sample's index from a sampler, with the numbers that seed its random generators.

    Attributes:
        entropy: The run's seed, the epoch, and how often the index occurred before in this epoch;
            none is negative.
    """

    entropy: tuple[int, ...]

    def __new__(cls, index: int, entropy: tuple[int, ...]) -> SeededIndex:
        made = super().__new__(cls, index)
        made.entropy = entropy
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return SeededIndex, (int(self), self.entropy)


@contextmanager
def seed_generators(index: SeededIndex, dataset: object) -> Iterator[None]:
    """Seed every generator that `dataset` uses from `index`; restore the global ones afterwards.

    A loader without workers shares the global ones with the model, whose dropout must not depend
    on the data. In a worker nothing else uses them, and they stay as they are, which is faster.
    """
    alone = get_worker_info() is not None
    before = None if alone else _global_states()
    words = np.random.SeedSequence([*index.entropy, int(index)]).generate_state(8)
    random.seed(words[:4].tobytes())
    np.random.seed(words)
    torch.default_generator.manual_seed(int(words[:2].view(np.uint64)[0] >> 1))
    for number, compose in enumerate(find_composes(dataset)):
        compose.set_random_state(
            np.random.default_rng([*words, number]),
            random.Random(words[4:].tobytes() + b'%d' % number),
        )
    try:
        yield
    finally:
        if before is not None:
            random.setstate(before[0])
            np.random.set_state(before[1])
            torch.set_rng_state(before[2])


def _global_states() -> tuple[Any, Any, torch.Tensor]:
    """Return the states of Python's, numpy's and torch's global generators."""
    return random.getstate(), np.random.get_state(), torch.get_rng_state()


def find_composes(part: object) -> Iterator[Any]:
    """Yield all albumentations compositions in a dataset or pipeline, in order.

    mmdet's and mmseg's `Albu` hold one as `aug`.
    """
    albumentations = sys.modules.get('albumentations')
    if albumentations is None:
        return
    if isinstance(part, albumentations.BaseCompose):
        yield part
    elif isinstance(part, (list, tuple)):
        for child in part:
            yield from find_composes(child)
    else:
        attributes = getattr(part, '__dict__', {})
        for name in PARTS:
            if name in attributes:
                yield from find_composes(attributes[name])
