"""A data loader's batches, from the middle of an epoch on without reading what comes before."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

from mmengine.dist import get_world_size
from torch.utils.data import DataLoader


class SkippingBatches:
    """A batch sampler that leaves out its first batches of indices, once.

    Args:
        batches: The batch sampler.
        skip: Batches to leave out when it is iterated the next time.
    """

    def __init__(self, batches: Any, skip: int) -> None:
        self.batches = batches
        self.skip = skip

    def __iter__(self) -> Iterator[Any]:
        skip, self.skip = self.skip, 0
        return islice(iter(self.batches), skip, None)

    def __len__(self) -> int:
        return len(self.batches)

    def __getattr__(self, name: str) -> Any:
        # Hooks look for `sampler`. While it is unpickled there is no `batches` yet.
        if name == 'batches':
            raise AttributeError(name)
        return getattr(self.batches, name)


def batches_behind(loader: DataLoader, done: int) -> Iterator[Any]:
    """Iterate a loader, without the first `done` batches, of which no sample is read.

    mmengine's loops read and throw them away (mmengine#1520).
    """
    if done:
        # DataLoader forbids to assign it; its workers are not started before `iter`.
        object.__setattr__(loader, 'batch_sampler', SkippingBatches(loader.batch_sampler, done))
    return iter(loader)


def set_epoch(loader: DataLoader, epoch: int) -> None:
    """Tell the sampler the epoch, on which its order depends."""
    sampler = sampler_of(loader)
    if hasattr(sampler, 'set_epoch'):
        sampler.set_epoch(epoch)


def reseed(loader: DataLoader, seed: int) -> None:
    """Give sampler and workers, which have not started yet, the seed of the run gone on with."""
    sampler = sampler_of(loader)
    if hasattr(sampler, 'seed'):
        sampler.seed = seed
    init = loader.worker_init_fn
    if isinstance(init, partial) and 'seed' in init.keywords:
        init.keywords['seed'] = seed


def sampler_of(loader: DataLoader) -> Any:
    """The sampler of single indices, inside of a batch sampler."""
    return getattr(loader.batch_sampler, 'sampler', loader.sampler)


def images_a_step(loader: DataLoader) -> int:
    """Images of one batch of every process; 0 if the batch sampler does not say."""
    return (getattr(loader.batch_sampler, 'batch_size', None) or 0) * get_world_size()


class BatchStream:
    """A loader's batches without an end: epoch after epoch, if its sampler has an end.

    Args:
        loader: What is iterated, from now on.
        epoch: Times that the sampler has come to its end.
        batch: Batches of this epoch that are done, which are not read.
    """

    def __init__(self, loader: DataLoader, epoch: int = 0, batch: int = 0) -> None:
        self.loader = loader
        self.epoch = epoch
        self.batch = batch
        if epoch:
            set_epoch(loader, epoch)
        self._iterator = batches_behind(loader, batch)

    def __iter__(self) -> BatchStream:
        return self

    def __next__(self) -> Any:
        try:
            data = next(self._iterator)
        except StopIteration:
            self.epoch += 1
            self.batch = 0
            set_epoch(self.loader, self.epoch)
            self._iterator = iter(self.loader)
            data = next(self._iterator)
        self.batch += 1
        return data
