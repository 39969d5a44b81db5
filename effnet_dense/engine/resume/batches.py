"""Iterate over a data loader from the middle of an epoch, without reading skipped samples.

mmengine's loops read the skipped batches and throw them away (mmengine#1520).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

from mmengine.dist import get_world_size
from torch.utils.data import DataLoader

from effnet_dense.data.seeding import sampler_of


class SkippingBatchSampler:
    """Wrap a batch sampler and leave out its first batches of indices, once.

    Args:
        batches: The batch sampler.
        skip: Batches to leave out in the next iteration over it.
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
        # Hooks look for `sampler`. While unpickling there is no `batches` yet.
        if name == 'batches':
            raise AttributeError(name)
        return getattr(self.batches, name)


def remaining_batches(loader: DataLoader, done: int) -> Iterator[Any]:
    """Iterate over a loader without its first `done` batches."""
    if done:
        # DataLoader forbids this assignment, but starts no worker before `iter`.
        sampler = SkippingBatchSampler(loader.batch_sampler, done)
        object.__setattr__(loader, 'batch_sampler', sampler)
    return iter(loader)


def set_epoch(loader: DataLoader, epoch: int) -> None:
    """Set the sampler's epoch, on which its order depends."""
    sampler = sampler_of(loader)
    if hasattr(sampler, 'set_epoch'):
        sampler.set_epoch(epoch)


def reseed(loader: DataLoader, seed: int) -> None:
    """Give the sampler, and workers that have not started yet, the resumed run's seed."""
    sampler = sampler_of(loader)
    if hasattr(sampler, 'seed'):
        sampler.seed = seed
    init = loader.worker_init_fn
    if isinstance(init, partial) and 'seed' in init.keywords:
        init.keywords['seed'] = seed


def images_per_iteration(loader: DataLoader) -> int:
    """Return the images in one batch of all processes; 0 if the batch sampler has no size."""
    return (getattr(loader.batch_sampler, 'batch_size', None) or 0) * get_world_size()


class BatchStream:
    """Iterate over a loader endlessly; a new epoch starts where its sampler ends.

    Args:
        loader: Its workers start at once.
        epoch: Completed passes over its sampler.
        batch: Completed batches of this epoch, which are skipped.
    """

    def __init__(self, loader: DataLoader, epoch: int = 0, batch: int = 0) -> None:
        self.loader = loader
        self.epoch = epoch
        self.batch = batch
        if epoch:
            set_epoch(loader, epoch)
        self._iterator = remaining_batches(loader, batch)

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
