"""Data loaders whose samples are drawn by `draws`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from mmengine.dataset import InfiniteSampler
from torch.utils.data import DataLoader

from effnet_dense.data.seeding.draws import Draw, drawn_from


def seed_draws(loader: DataLoader, seed: int) -> DataLoader:
    """Let every random draw of a loader's samples depend on (seed, epoch, index) alone.

    The number of workers, their life, the batch size and the samples before make no difference,
    and neither does a stop between: a resumed run draws what it would have drawn. What mixes
    several samples draws by its own index, and so does what replaces a sample that is None.
    `CachedMosaic` and `CachedMixUp` mix what their worker happened to make before, by design:
    only their draws, and not their pictures, are independent of the number of workers.

    Epochs are counted by the sampler's `epoch`; of mmengine's InfiniteSampler, whose stream is
    one permutation after the other, by permutations; of others by how often they gave the index.

    Args:
        loader: Changed in place: the classes of its data set and sampler are replaced by
            subclasses that number indices, and draw by these numbers.
        seed: Of the run, non-negative.

    Returns:
        The loader.

    Raises:
        ValueError: a negative seed.
    """
    if seed < 0:
        raise ValueError(f'expected a seed that is not negative, got {seed}')
    sampler: Any = _sampler(loader)
    dataset: Any = loader.dataset
    if not hasattr(sampler, 'draw_seed'):
        passes = isinstance(sampler, InfiniteSampler)
        sampler.__class__ = (numbered_passes if passes else numbered_epochs)(_class(sampler))
    if not hasattr(dataset, 'draws_by_index'):
        dataset.__class__ = drawing(_class(dataset))
    sampler.draw_seed = seed
    return loader


def set_draw_seed(loader: DataLoader, seed: int) -> None:
    """Give a loader that draws by `seed_draws` another seed; leave others as they are."""
    sampler = _sampler(loader)
    if hasattr(sampler, 'draw_seed'):
        sampler.draw_seed = seed


def _sampler(loader: DataLoader) -> Any:
    return getattr(loader.batch_sampler, 'sampler', loader.sampler)


def _class(thing: object) -> Any:
    return type(thing)


@cache
def drawing(base: Any) -> Any:
    """A data set's class that draws by the numbers that an index carries."""

    class Drawing(base):
        draws_by_index = True

        def __getitem__(self, index: int) -> Any:
            """Make a sample; a plain number as its index draws from the global generators."""
            if not isinstance(index, Draw):
                return super().__getitem__(index)
            with drawn_from(index, self):
                return super().__getitem__(int(index))

        def __getitems__(self, indices: Sequence[int]) -> list[Any]:
            """What torch's loader prefers where it is: the base class's would go around us."""
            return [self[index] for index in indices]

        def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
            """Pickle for workers that are spawned: this class has no name to be found by."""
            return _restore, (base, self.__dict__.copy())

    return _named_as(base, Drawing)


@cache
def numbered_epochs(base: Any) -> Any:
    """A sampler's class that yields `Draw`s: (seed, epoch, how often the index came before in it).

    An index that is repeated within an epoch, as by mmdet's ClassAwareSampler, is drawn anew.
    """

    class Numbered(base):
        def __iter__(self) -> Iterator[Draw]:
            epoch = getattr(self, 'epoch', None)
            # Without epochs the counts go on from one iteration to the next.
            seen = self.__dict__.setdefault('drawn', Counter()) if epoch is None else Counter()
            for index in super().__iter__():
                yield Draw(index, (self.draw_seed, epoch or 0, seen[index]))
                seen[index] += 1

    return _named_as(base, Numbered)


@cache
def numbered_passes(base: Any) -> Any:
    """The same of InfiniteSampler's: its permutations are its epochs.

    They are counted at the source, in the stream that all ranks share, so that it does not matter
    who skips how much of it afterwards.
    """

    class Numbered(base):
        def _infinite_indices(self) -> Iterator[Draw]:
            for position, index in enumerate(super()._infinite_indices()):
                yield Draw(index, (self.draw_seed, position // self.size, 0))

    return _named_as(base, Numbered)


def _named_as(base: type, made: type) -> type:
    """Logs and errors show the class that a user knows."""
    made.__name__, made.__qualname__, made.__module__ = base.__name__, base.__qualname__, __name__
    return made


def _restore(base: Any, state: dict[str, Any]) -> Any:
    restored = base.__new__(base)
    restored.__dict__.update(state)
    restored.__class__ = drawing(base)
    return restored
