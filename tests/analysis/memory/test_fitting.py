"""The largest batch whose predicted peak fits."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from mmengine.config import Config

from effnet_dense.analysis.memory import fitting
from effnet_dense.analysis.memory.fitting import ONE_VALUE, largest_batch_within
from effnet_dense.registry import FUNCTIONS


def predict(monkeypatch: pytest.MonkeyPatch, one_fails: bool = False) -> list[int]:
    """Replace the prediction by ten bytes an image; return the batches that it was asked for."""
    asked: list[int] = []

    def peak(config: Config, setup: SimpleNamespace, gpu: bool) -> SimpleNamespace:
        asked.append(setup.batch_size)
        if one_fails and setup.batch_size == 1:
            raise ValueError(f'Expected {ONE_VALUE} when training')
        return SimpleNamespace(total=10 * setup.batch_size)

    monkeypatch.setattr(fitting, 'predict_peak', peak)
    return asked


def config() -> Config:
    """A training of images of 8 × 8 pixels."""
    optimizer = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1))
    return Config(dict(model=dict(data_preprocessor=dict(size=(8, 8))), optim_wrapper=optimizer))


@pytest.mark.parametrize(
    ('limit', 'most', 'expected'),
    [(1000, 5, 5), (49, 5, 4), (10, 5, 1), (9, 5, 0), (790, 4096, 79)],
)
def test_within(monkeypatch: pytest.MonkeyPatch, limit: int, most: int, expected: int) -> None:
    asked = predict(monkeypatch)
    assert largest_batch_within(config(), limit, most) == expected
    assert len(asked) == len(set(asked))  # no batch is predicted twice


def test_a_batch_norm_that_requires_two_images(monkeypatch: pytest.MonkeyPatch) -> None:
    predict(monkeypatch, one_fails=True)
    assert largest_batch_within(config(), 35, 8) == 3
    assert largest_batch_within(config(), 18, 8) == 0


def test_the_engine_finds_it_by_name() -> None:
    assert FUNCTIONS.get('effnet_dense.largest_batch_within') is largest_batch_within
