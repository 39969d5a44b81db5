"""Batches from the middle of an epoch, without reading the samples before."""

from __future__ import annotations

import pytest
from torch.utils.data import DataLoader, Dataset

from effnet_dense.engine.resume.batches import (
    BatchStream,
    images_per_iteration,
    remaining_batches,
    reseed,
)


class Numbers(Dataset):
    """0 … 6, noting which are read."""

    def __init__(self) -> None:
        self.read: list[int] = []

    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: int) -> int:
        self.read.append(index)
        return index


def loader(data: Numbers) -> DataLoader:
    return DataLoader(data, batch_size=2, collate_fn=list)


@pytest.mark.parametrize('done', [0, 1, 3, 4])
def test_skipped_samples_are_not_read(done: int) -> None:
    data = Numbers()
    batches = loader(data)
    assert list(remaining_batches(batches, done)) == [[0, 1], [2, 3], [4, 5], [6]][done:]
    assert data.read == list(range(2 * done, 7))
    assert list(batches) == [[0, 1], [2, 3], [4, 5], [6]], 'the next epoch is complete'
    assert len(batches) == 4


def test_a_stream_counts_epochs_and_batches() -> None:
    stream = BatchStream(loader(Numbers()), epoch=2, batch=3)
    assert next(stream) == [6]
    assert (stream.epoch, stream.batch) == (2, 4)
    assert next(stream) == [0, 1]
    assert (stream.epoch, stream.batch) == (3, 1)


def test_images_per_iteration() -> None:
    assert images_per_iteration(loader(Numbers())) == 2
    assert images_per_iteration(DataLoader(Numbers(), batch_size=None)) == 0


def test_reseed_changes_sampler_and_workers() -> None:
    from functools import partial

    def init(worker_id: int, seed: int) -> None: ...

    batches = DataLoader(Numbers(), worker_init_fn=partial(init, seed=1))
    batches.sampler.seed = 1  # type: ignore[attr-defined]
    reseed(batches, 7)
    assert batches.sampler.seed == 7  # type: ignore[attr-defined]
    assert batches.worker_init_fn.keywords == {'seed': 7}  # type: ignore[union-attr]
