"""The order of candidates, and what is said where none fits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from effnet_dense.analysis.plan.candidate import Budget, Candidate
from effnet_dense.analysis.plan.choose import first_that_fits, nothing_fits, possible
from effnet_dense.analysis.plan.machine import GIB
from effnet_dense.analysis.plan.recipes import RECIPES, Size

MEMORY = 8 * GIB


def candidate(
    label: str = 'RetinaNet', arch: str = 'lite0', side: int = 320, **more: Any
) -> Candidate:
    counts: Any = SimpleNamespace(parameters=1_000_000, gflops=more.pop('gflops', 1.0), saved=1.0)
    values: dict[str, Any] = dict(
        recipe=next(recipe for recipe in RECIPES if recipe.label == label),
        arch=arch,
        size=Size((side, side), (side, side)),
        batch=8,
        counts=counts,
        memory=float(GIB),
        step=1.0,
        evaluation=30.0,
        latency=0.05,
        share_8=1.0,
        share_16=1.0,
        images=136,
    )
    return Candidate(**{**values, **more})


def best(*candidates: Candidate, minutes: float = 30.0, **limits: Any) -> Candidate:
    return possible(candidates, Budget(minutes, **limits), MEMORY)[0]


def test_the_larger_network_of_those_that_can_train_2x() -> None:
    small, large = candidate(), candidate(arch='lite2', gflops=2.0, step=2.0)
    assert best(small, large, minutes=60) == large
    assert best(small, large, minutes=15) == small  # the larger one would train 1.5x only


def test_the_longer_training_if_none_can_train_2x() -> None:
    small, large = candidate(step=2.0), candidate(arch='lite1', gflops=1.5, step=2.5)
    assert best(small, large, minutes=13) == small


def test_visible_objects_come_first() -> None:
    low, high = candidate(share_8=0.6), candidate(side=512, share_8=0.9, step=2.5)
    assert best(low, high) == high
    assert best(candidate(share_8=0.96), candidate(side=512, share_8=1.0, step=9.0)).size.crop == (
        320,
        320,
    )


def test_recipes_by_their_measured_figure() -> None:
    first, second = candidate(step=2.0), candidate('EfficientDet', gflops=9.0, step=0.5)
    assert best(second, first) == first


def test_limits() -> None:
    heavy = candidate(arch='lite1', memory=9.0 * GIB, gflops=2.0)
    slow = candidate(arch='lite2', latency=0.2, gflops=3.0)
    missing = candidate(arch='b0', weights='pip install timm', gflops=4.0)
    plain = candidate()
    assert best(heavy, missing, plain) == plain
    assert best(slow, plain) == slow
    assert best(slow, plain, latency_ms=100) == plain
    assert best(candidate(memory=2.0 * GIB, gflops=5.0), plain, gib=1.5) == plain


def test_the_preferred_batch_that_fits() -> None:
    batches = [candidate(batch=b, memory=float(b) * GIB) for b in (32, 8, 4)]
    assert first_that_fits(batches, Budget(), MEMORY).batch == 8
    assert first_that_fits(batches, Budget(gib=1.0), MEMORY).batch == 4


def test_the_nearest_is_named_with_what_it_needs() -> None:
    near = candidate('EfficientDet', step=1.0)
    far = candidate(step=4.0)
    text = nothing_fits([far, near], Budget(minutes=2), MEMORY)
    assert 'EfficientDet on lite0 at 320 px' in text
    assert f'{near.needed_minutes():.1f} minutes for 255 steps (--minutes gives 2)' in text
    text = nothing_fits([near], Budget(gib=0.5, latency_ms=10), MEMORY)
    assert '1.00 GiB of memory (--gib gives 0.5)' in text
    assert '50 ms per image (--latency-ms gives 10)' in text
    assert 'pip install timm' in nothing_fits([candidate(weights='pip install timm')], Budget(), 1)


def test_a_schedule_fills_the_budget_with_whole_epochs() -> None:
    one = candidate()
    schedule = one.schedule(Budget(10))
    assert schedule.steps % 17 == 0 and schedule.steps == 17 * schedule.epochs
    assert one.seconds(schedule) <= 0.9 * 600 < one.seconds(schedule) + 17
    assert one.schedule(Budget(1000)).steps == 3 * one.shortest
    assert one.schedule(Budget(1)).steps == one.shortest
    assert one.needed_minutes() == pytest.approx((30 + 255) / 54)


@pytest.mark.parametrize('name', ['minutes', 'gib', 'latency_ms'])
@pytest.mark.parametrize('value', [0, -1, float('nan'), float('inf')])
def test_budgets_are_above_zero(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f'--{name.replace("_", "-")} must be a number above 0'):
        Budget(**{name: value})
