"""Settings: what is accepted, and what is given."""

from __future__ import annotations

from typing import Any

import pytest

from effnet_dense.settings import Settings


def test_nothing_is_set_by_default() -> None:
    assert not Settings()
    assert Settings().given() == {}


def test_zero_counts_as_given() -> None:
    assert Settings(seed=0, workers=0).given() == {'seed': 0, 'workers': 0}


@pytest.mark.parametrize(
    'values',
    [
        dict(epochs=0),
        dict(epochs=2.0),
        dict(epochs=True),
        dict(iterations=-1),
        dict(epochs=1, iterations=1),
        dict(batch_size='all'),
        dict(precision='fp8'),
        dict(loggers=('tensorboard', 'neptune')),
        dict(lean=3),
        dict(seed=-1),
    ],
)
def test_values_out_of_range(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=' got '):
        Settings(**values)
