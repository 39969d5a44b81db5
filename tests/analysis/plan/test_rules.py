"""The rules of a plan, on their sources' own cases."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effnet_dense.analysis.plan import rules


@pytest.mark.parametrize(
    ('task', 'per_epoch', 'batch', 'steps'),
    [
        ('detection', 17, 8, 255),  # 15 epochs of Penn-Fudan, as a shipped config
        ('detection', 34, 4, 510),  # the same images in smaller batches
        ('detection', 4, 32, 255),
        ('detection', 1000, 8, 12_000),  # 1x
        ('instances', 1, 8, 255),
        ('semantic', 46, 8, 368),  # CamVid
        ('semantic', 5000, 8, 5000),
    ],
)
def test_shortest_training(task: str, per_epoch: int, batch: int, steps: int) -> None:
    assert rules.shortest_training(task, per_epoch, batch) == steps


def test_rates_follow_the_batch() -> None:
    assert rules.scaled_rate(0.1, 8192, 256) == 3.2  # Goyal et al., table 1
    assert rules.scaled_rate(0.002, 8, 8) == 0.002
    assert rules.scaled_rate(0.002, 2, 8) == 0.0005


def test_batches() -> None:
    assert rules.batch_sizes(8, 10_000, on_gpu=False) == [8, 4, 2]
    assert rules.batch_sizes(8, 10_000, on_gpu=True) == [32, 16, 8, 4, 2]
    assert rules.batch_sizes(8, 100, on_gpu=True) == [8, 4, 2]
    assert rules.frozen_norms(4, 8) and not rules.frozen_norms(8, 8)


def test_sizes_of_the_family() -> None:
    sizes = [rules.family_size(name) for name in ('lite0', 'lite4', 'b0', 'b3')]
    assert sizes == [320, 640, 512, 896]


@given(st.sampled_from(['lite0', 'lite2', 'b4']), st.floats(10, 5000))
@settings(max_examples=40, deadline=None)
def test_sizes_are_multiples_and_not_larger_than_the_images(arch: str, side: float) -> None:
    sizes = rules.square_sizes(arch, 320, side)
    assert sizes == sorted(set(sizes))
    assert 320 in sizes
    assert all(size % 32 == 0 and size <= max(320, side + 32) for size in sizes)


def test_crops_of_camvid_are_the_recipes() -> None:
    assert rules.crop_sides(480, 360) == (320, 416)
    assert rules.scale_factors(480)[0] == 1.0
    assert all(factor < 0.9 for factor in rules.scale_factors(480)[1:])


def test_evaluations() -> None:
    assert [rules.validations(epochs) for epochs in (15, 16, 1)] == [5, 6, 1]


def test_workers_feed_the_steps() -> None:
    assert rules.workers(32, 0.02, 0.1, 16, on_gpu=True) == 8
    assert rules.workers(8, 0.01, 3.0, 2, on_gpu=False) == 2
    assert rules.workers(8, 0.01, 3.0, 1, on_gpu=False) == 1


def test_augmentation_needs_long_schedules() -> None:
    assert rules.augmentation('detection', 15, 0.9, rare=True) == 'jitter'
    assert rules.augmentation('detection', 100, 0.9, rare=False) == 'mosaic'
    assert rules.augmentation('detection', 100, 0.2, rare=False) == 'jitter'
    assert rules.augmentation('instances', 100, 0.2, rare=True) == 'copy-paste'
    assert rules.augmentation('semantic', 999, 0.9, rare=True) == 'jitter'


def test_class_weights() -> None:
    assert rules.class_weights([100, 100, 100]) == [1.0, 1.0, 1.0]
    weights = rules.class_weights([1000, 100, 10, 0])
    assert weights[0] < weights[1] == 1.0 < weights[2] and weights[3] == 1.0
    assert rules.class_weights([]) == []


def test_lengths_are_ordered() -> None:
    assert 255 < rules.comfortable_training(255) < rules.longest_training(255) == 765
    assert rules.usable_seconds(10) == 540
