"""What a sample draws, whoever makes it and whenever."""

from __future__ import annotations

import copy
import pickle
import random
from itertools import islice
from typing import Any

import albumentations
import numpy as np
import pytest
import torch
from mmdet.datasets import MultiImageMixDataset
from mmdet.datasets.samplers import AspectRatioBatchSampler, ClassAwareSampler
from mmdet.datasets.transforms import MixUp
from mmengine.dataset import BaseDataset, DefaultSampler, InfiniteSampler
from torch.utils.data import DataLoader, SequentialSampler

from effnet_dense.data.seeding import SeededIndex, seed_draws, set_loader_seed
from effnet_dense.engine.runner import Runner

SIZE = 6


class Numbers:
    """A transform that draws from every generator; of sample 3 it makes nothing at first."""

    def __init__(self, refuse: bool = True) -> None:
        noise = albumentations.GaussNoise(p=1)
        nested = albumentations.OneOf([noise], p=1)
        self.aug = albumentations.Compose([nested])  # as mmdet's Albu keeps it
        self.refuse = refuse

    def __call__(self, results: dict[str, Any]) -> dict[str, Any] | None:
        if results['index'] == 3 and self.refuse:
            return None
        noisy = self.aug(image=np.full((4, 4, 3), 128, np.uint8))['image']
        draws = (random.random(), np.random.rand(), float(torch.rand(1)), noisy.tolist())
        return dict(index=results['index'], draws=draws)


class Samples(BaseDataset):
    METAINFO = dict(classes=('even', 'odd'))

    def load_data_list(self) -> list[dict[str, Any]]:
        return [dict(index=index, width=index % 2, height=1) for index in range(SIZE)]

    def get_cat_ids(self, index: int) -> list[int]:
        return [index % 2]


def samples(refuse: bool = True) -> Samples:
    return Samples(pipeline=[Numbers(refuse)])


def loader(
    sampler: type = DefaultSampler, seed: int = 5, dataset: Any = None, **more: Any
) -> DataLoader:
    dataset = dataset or samples()
    more = {'batch_size': 2, **more}
    made = DataLoader(dataset, sampler=sampler(dataset, seed=0), collate_fn=list, **more)
    return seed_draws(made, seed)


def epoch_of(made: DataLoader, epoch: int) -> list[tuple[int, Any]]:
    """(index, draws) of each sample; the generators' states before are another each time."""
    np.random.seed(None)
    random.seed()
    torch.seed()
    made.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
    return sorted((one['index'], one['draws']) for batch in made for one in batch)


@pytest.fixture(scope='module')
def expected() -> list[list[tuple[int, Any]]]:
    made = loader()
    return [epoch_of(made, epoch) for epoch in range(2)]


@pytest.mark.parametrize(
    'more',
    [
        dict(num_workers=2),
        dict(num_workers=4, batch_size=1),
        dict(num_workers=2, persistent_workers=True),
    ],
    ids=['2', '4', 'persistent'],
)
def test_workers_make_no_difference(expected: list[Any], more: dict[str, Any]) -> None:
    made = loader(**more)
    assert [epoch_of(made, epoch) for epoch in range(2)] == expected


def test_a_later_epoch_needs_no_earlier_one(expected: list[Any]) -> None:
    assert epoch_of(loader(), 1) == expected[1]


def test_epochs_samples_and_seeds_differ(expected: list[Any]) -> None:
    others = [epoch_of(loader(seed=6), 0)]
    for part in range(4):
        values = [str(draws[part]) for epoch in expected + others for _, draws in epoch]
        assert len(set(values)) == 3 * SIZE


def test_a_sample_that_is_none_is_replaced_by_the_same_other() -> None:
    draw = SeededIndex(3, (5, 0, 0))
    made = loader().dataset
    assert made[draw] == made[draw]
    assert made[draw]['index'] != 3


def test_generators_are_put_back() -> None:
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    loader().dataset[SeededIndex(1, (5, 0, 0))]
    assert random.getstate() == states[0]
    assert np.random.get_state()[1].tolist() == states[1]
    assert torch.get_rng_state().tolist() == states[2]


def test_an_infinite_stream_counts_its_permutations() -> None:
    stream = list(islice(iter(loader(InfiniteSampler).sampler), 2 * SIZE))
    assert [draw.entropy for draw in stream] == [(5, 0, 0)] * SIZE + [(5, 1, 0)] * SIZE
    assert sorted(stream[:SIZE]) == sorted(stream[SIZE:]) == list(range(SIZE))


@pytest.mark.slow
def test_ranks_count_the_stream_that_they_share() -> None:
    sampler: Any = loader(InfiniteSampler).sampler
    stream = list(islice(iter(sampler), 12))
    for rank in range(4):
        part: Any = loader(InfiniteSampler).sampler
        part.rank, part.world_size = rank, 4
        mine = list(islice(iter(part), 3))
        assert [(int(d), d.entropy) for d in mine] == [(int(d), d.entropy) for d in stream[rank::4]]


def test_an_index_that_comes_twice_is_drawn_anew() -> None:
    sampler: Any = loader(ClassAwareSampler).sampler
    sampler.num_samples = sampler.total_size = 4 * SIZE
    drawn = [(int(draw), draw.entropy) for draw in sampler]
    assert len(set(drawn)) == len(drawn)


def test_a_sampler_without_epochs_counts_on() -> None:
    class Plain(SequentialSampler):
        def __init__(self, dataset: Any, seed: int) -> None:
            super().__init__(dataset)

    sampler = loader(Plain).sampler
    assert [draw.entropy[2] for _ in range(2) for draw in sampler] == [0] * SIZE + [1] * SIZE


def test_batches_by_aspect_ratio_keep_the_numbers() -> None:
    dataset = samples()
    batches = AspectRatioBatchSampler(DefaultSampler(dataset, seed=0), batch_size=2)
    made = seed_draws(DataLoader(dataset, batch_sampler=batches, collate_fn=list), 5)
    assert {draw.entropy for batch in batches for draw in batch} == {(5, 0, 0)}  # type: ignore
    plain = loader().dataset
    ours = {one['index']: one['draws'] for batch in made for one in batch if one['index'] == 1}
    assert plain[SeededIndex(1, (5, 0, 0))]['draws'] == ours[1] or 1 not in ours


class Partner(MixUp):
    """Adds the sample that MixUp would mix in."""

    def __init__(self) -> None:
        pass

    def get_indexes(self, dataset: Any) -> int:
        return random.randrange(len(dataset))

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        other = results['mix_results'][0]
        return dict(index=results['index'], draws=(results['draws'], other['draws']))


def test_what_is_mixed_in_is_drawn_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def mixed() -> MultiImageMixDataset:
        dataset = MultiImageMixDataset(samples(refuse=False), [])
        dataset.pipeline, dataset.pipeline_types = [Partner()], ['Partner']
        return dataset

    one, two = (loader(dataset=mixed(), **more) for more in ({}, dict(num_workers=2)))
    assert epoch_of(one, 1) == epoch_of(two, 1) != epoch_of(one, 0)


def test_dataset_and_index_survive_pickling_and_copying(expected: list[Any]) -> None:
    dataset = loader().dataset
    assert isinstance(dataset, Samples)
    for again in (pickle.loads(pickle.dumps(dataset)), copy.deepcopy(dataset)):
        draw = pickle.loads(pickle.dumps(SeededIndex(1, (5, 0, 0))))
        assert (1, again[draw]['draws']) in expected[0]


def test_the_runner_seeds_what_it_builds(expected: list[Any]) -> None:
    config = dict(
        dataset=samples(), sampler=dict(type='DefaultSampler'), batch_size=2, num_workers=0
    )
    made = Runner.build_dataloader(dict(config), seed=5)
    made.collate_fn = list
    assert epoch_of(made, 0) == expected[0]
    set_loader_seed(made, 6)
    assert epoch_of(made, 0) == epoch_of(loader(seed=6), 0)
    unseeded = Runner.build_dataloader(dict(config, dataset=samples()))
    assert not isinstance(next(iter(unseeded.sampler)), SeededIndex)
    set_loader_seed(unseeded, 6)  # does nothing


def test_a_negative_seed_is_rejected() -> None:
    with pytest.raises(ValueError, match='not negative, got -1'):
        loader(seed=-1)
