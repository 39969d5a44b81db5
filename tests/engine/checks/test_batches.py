"""Data loaders whose epochs have no batch, or leave out images."""

from __future__ import annotations

from typing import Any

import pytest
from mmdet.datasets.samplers import AspectRatioBatchSampler
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import DataLoader, Dataset

from effnet_dense.engine.checks.batches import (
    check_evaluated_batches,
    check_training_batches,
    unfilled_batch_warning,
)


class Images(Dataset):
    """As many images of 2 × 1 pixels, after some of 1 × 2."""

    def __init__(self, count: int, portraits: int = 0) -> None:
        self.count, self.portraits = count, portraits

    def __len__(self) -> int:
        return self.count

    def get_data_info(self, index: int) -> dict[str, int]:
        """The size of an image."""
        portrait = index < self.portraits
        return dict(width=1 if portrait else 2, height=2 if portrait else 1)


def loader(dataset: Images, batch: int, drop_last: bool = True, sampler: Any = None) -> DataLoader:
    chosen = (sampler or DefaultSampler)(dataset)
    return DataLoader(dataset, batch, sampler=chosen, drop_last=drop_last)


def by_aspect(dataset: Images, batch: int) -> DataLoader:
    sampler = AspectRatioBatchSampler(DefaultSampler(dataset), batch, drop_last=True)
    return DataLoader(dataset, batch_sampler=sampler)


@pytest.mark.parametrize(
    'made',
    [
        loader(Images(4), 4),
        loader(Images(3), 4, drop_last=False),
        loader(Images(3), 4, sampler=InfiniteSampler),
        by_aspect(Images(8, 2), 4),
        by_aspect(Images(5, 1), 4),
    ],
)
def test_epochs_with_a_step(made: DataLoader) -> None:
    check_training_batches(made)
    if not isinstance(made.sampler, InfiniteSampler):
        assert list(made.batch_sampler), 'the check has taken no batch'


def test_images_that_do_not_fill_a_batch() -> None:
    warning = unfilled_batch_warning(loader(Images(3), 4, drop_last=False))
    assert 'train_dataloader.batch_size=4: an epoch has 3 images' in warning
    for full in (loader(Images(4), 4), loader(Images(3), 4, sampler=InfiniteSampler)):
        assert unfilled_batch_warning(full) == ''


@pytest.mark.parametrize(
    ('made', 'words'),
    [
        (loader(Images(3), 4), '3 images and drop_last=True, which leaves no batch of 4: write'),
        (by_aspect(Images(4, 2), 4), r'no batch of 4 of equal aspect \(portrait or landscape\)'),
        (loader(Images(0), 4), 'has no images'),
        (loader(Images(0), 4, sampler=InfiniteSampler), 'has no images'),
    ],
)
def test_epochs_without_one(made: DataLoader, words: str) -> None:
    with pytest.raises(ValueError, match=f'train_dataloader .*{words}'):
        check_training_batches(made)


def test_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('effnet_dense.engine.checks.batches.get_world_size', lambda: 2)
    dataset = Images(6)
    sampler = DefaultSampler(dataset)
    sampler.num_samples = 3  # of each process
    made = DataLoader(dataset, 4, sampler=sampler, drop_last=True)
    with pytest.raises(ValueError, match='has 6 images, 3 for each of 2 processes, and drop_last'):
        check_training_batches(made)


def test_an_evaluation_gets_all_images() -> None:
    check_evaluated_batches('val_dataloader', loader(Images(6), 4, drop_last=False))
    check_evaluated_batches('val_dataloader', loader(Images(8), 4))
    check_evaluated_batches('val_dataloader', DataLoader(Images(2), batch_size=None))
    with pytest.raises(ValueError, match=r'^test_dataloader\.drop_last=True .* 2 of 6 images'):
        check_evaluated_batches('test_dataloader', loader(Images(6), 4))
