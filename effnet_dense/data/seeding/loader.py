"""Make the random numbers of a data loader's samples depend on `SeededIndex`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from mmengine.dataset import InfiniteSampler
from torch.utils.data import DataLoader

from effnet_dense.data.seeding.seeded_index import SeededIndex, seed_generators


def seed_draws(loader: DataLoader, seed: int) -> DataLoader:
    """Make all random numbers of a loader's samples depend only on (seed, epoch, index).

    The number and lifetime of workers, the batch size and earlier samples make no difference, and
    neither does an interruption: a resumed run continues with the same numbers. Transforms that mix
    several samples draw the numbers for all of them from their own index, and so does the
    replacement of a sample that is None. `CachedMosaic` and `CachedMixUp` mix in their worker's
    earlier samples, by design: their random numbers are independent of the number of workers,
    their images are not.

    Epochs are counted by the sampler's `epoch`; for mmengine's InfiniteSampler, whose stream is a
    sequence of permutations, by permutation; for others by how often they yielded the index.

    Args:
        loader: Changed in place: the classes of its dataset and sampler are replaced by subclasses
            that yield and use `SeededIndex`.
        seed: The run's seed, non-negative.

    Returns:
        The loader.

    Raises:
        ValueError: The seed is negative.
    """
    if seed < 0:
        raise ValueError(f'expected a seed that is not negative, got {seed}')
    sampler: Any = sampler_of(loader)
    dataset: Any = loader.dataset
    if not hasattr(sampler, 'draw_seed'):
        infinite = isinstance(sampler, InfiniteSampler)
        sampler.__class__ = (seeded_passes if infinite else seeded_epochs)(_class(sampler))
    if not hasattr(dataset, 'draws_by_index'):
        dataset.__class__ = seeded_dataset(_class(dataset))
    sampler.draw_seed = seed
    return loader


def set_loader_seed(loader: DataLoader, seed: int) -> None:
    """Change the seed of a loader that `seed_draws` changed; others stay unchanged."""
    sampler = sampler_of(loader)
    if hasattr(sampler, 'draw_seed'):
        sampler.draw_seed = seed


def sampler_of(loader: DataLoader) -> Any:
    """Return the sampler of single indices, also from inside a batch sampler."""
    return getattr(loader.batch_sampler, 'sampler', loader.sampler)


def _class(thing: object) -> Any:
    return type(thing)


@cache
def seeded_dataset(base: Any) -> Any:
    """Subclass a dataset so that a `SeededIndex` seeds the generators of its sample."""

    class Seeded(base):
        draws_by_index = True

        def __getitem__(self, index: int) -> Any:
            """Make a sample; a plain integer leaves the generators unchanged."""
            if not isinstance(index, SeededIndex):
                return super().__getitem__(index)
            with seed_generators(index, self):
                return super().__getitem__(int(index))

        def __getitems__(self, indices: Sequence[int]) -> list[Any]:
            """Make the samples of a batch; the base class's method would bypass the seeding."""
            return [self[index] for index in indices]

        def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
            """Pickle for spawned workers: pickle cannot find this class by its name."""
            return _restore, (base, self.__dict__.copy())

    return _named_as(base, Seeded)


@cache
def seeded_epochs(base: Any) -> Any:
    """Subclass a sampler so that it yields a `SeededIndex` with (seed, epoch, occurrence).

    An index that is repeated within an epoch, as by mmdet's ClassAwareSampler, gets new numbers.
    """

    class Seeded(base):
        def __iter__(self) -> Iterator[SeededIndex]:
            epoch = getattr(self, 'epoch', None)
            # Without epochs the counts continue from one iteration to the next.
            seen = self.__dict__.setdefault('drawn', Counter()) if epoch is None else Counter()
            for index in super().__iter__():
                yield SeededIndex(index, (self.draw_seed, epoch or 0, seen[index]))
                seen[index] += 1

    return _named_as(base, Seeded)


@cache
def seeded_passes(base: Any) -> Any:
    """Subclass an InfiniteSampler in the same way: its permutations are its epochs.

    They are counted in the stream that all ranks share, before each rank takes its part of it.
    """

    class Seeded(base):
        def _infinite_indices(self) -> Iterator[SeededIndex]:
            for position, index in enumerate(super()._infinite_indices()):
                yield SeededIndex(index, (self.draw_seed, position // self.size, 0))

    return _named_as(base, Seeded)


def _named_as(base: type, made: type) -> type:
    """Name a subclass after its base: logs and errors show the class that the user chose."""
    made.__name__, made.__qualname__, made.__module__ = base.__name__, base.__qualname__, __name__
    return made


def _restore(base: Any, state: dict[str, Any]) -> Any:
    restored = base.__new__(base)
    restored.__dict__.update(state)
    restored.__class__ = seeded_dataset(base)
    return restored
