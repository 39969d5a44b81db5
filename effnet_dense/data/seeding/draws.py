"""Random numbers that depend on the run's seed, the epoch and the sample alone.

Transforms draw from Python's, numpy's and torch's global generators, albumentations' from their
own. mmengine seeds the global ones once, when a worker starts: what a sample gets depends on the
number of workers and on the samples before it, and without persistent workers every epoch repeats
the first one's numbers. Here a sampler's index carries the seed and the epoch to wherever the
sample is made, and all generators are set from them for that sample alone.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

# Where data sets and pipelines keep what they are made of.
PARTS = ('dataset', 'datasets', 'pipeline', 'transforms', 'aug', 'transform')


class Draw(int):
    """A sample's index, as a sampler yields it, with the numbers that its randomness comes from.

    Attributes:
        entropy: Non-negative: the run's seed, the epoch, how often the index came before in it.
    """

    entropy: tuple[int, ...]

    def __new__(cls, index: int, entropy: tuple[int, ...]) -> Draw:
        draw = super().__new__(cls, index)
        draw.entropy = entropy
        return draw

    def __reduce__(self) -> tuple[Any, ...]:
        return Draw, (int(self), self.entropy)


@contextmanager
def drawn_from(draw: Draw, dataset: object) -> Iterator[None]:
    """Set every generator that `dataset` draws from by `draw`; put the global ones back after.

    They are put back because a loader without workers shares them with the model: its dropout is
    not to depend on what the data drew.
    """
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    words = np.random.SeedSequence([*draw.entropy, int(draw)]).generate_state(8)
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
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


def find_composes(part: object) -> Iterator[Any]:
    """All of albumentations' compositions in a data set or pipeline, in order.

    mmdet's and mmseg's `Albu` hold one as `aug`.
    """
    albumentations = sys.modules.get('albumentations')
    if albumentations is None:
        return
    if isinstance(part, albumentations.BaseCompose):
        yield part
    elif isinstance(part, (list, tuple)):
        for one in part:
            yield from find_composes(one)
    else:
        held = getattr(part, '__dict__', {})
        for name in PARTS:
            if name in held:
                yield from find_composes(held[name])
