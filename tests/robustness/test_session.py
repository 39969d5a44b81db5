"""Pipelines with a corruption in them, and chosen images."""

from __future__ import annotations

from typing import Any

import pytest

from effnet_dense.robustness.session import changed_pipeline, spread

STEPS: list[Any] = [
    dict(type='effnet_dense.LoadImageFromFile'),
    dict(type='Resize'),
    dict(type='LoadAnnotations'),
    dict(type='PackDetInputs'),
]


def names(steps: list[Any]) -> list[str]:
    return [step['type'].rpartition('.')[2] for step in steps]


def test_the_transform_follows_the_image() -> None:
    made = changed_pipeline(STEPS, dict(type='X'), truth_first=False)
    assert names(made) == ['LoadImageFromFile', 'X', 'Resize', 'LoadAnnotations', 'PackDetInputs']
    made = changed_pipeline(STEPS, None, truth_first=True)
    assert names(made) == ['LoadImageFromFile', 'LoadAnnotations', 'Resize', 'PackDetInputs']
    assert names(STEPS)[1] == 'Resize'


def test_a_pipeline_without_an_image_is_refused() -> None:
    with pytest.raises(ValueError, match='expected a step LoadImage…, got Resize, LoadAnnotations'):
        changed_pipeline(STEPS[1:], dict(type='X'), truth_first=False)


def test_images_are_spread() -> None:
    assert spread(10, 4) == [0, 3, 6, 9] and spread(5, 5) == [0, 1, 2, 3, 4] and spread(9, 1) == [0]
