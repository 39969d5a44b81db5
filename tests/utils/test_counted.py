"""Numbers of things have a singular."""

from __future__ import annotations

import pytest

from effnet_dense.utils.counted import counted


@pytest.mark.parametrize(
    ('number', 'what', 'expected'),
    [
        (1, 'epoch', '1 epoch'),
        (0, 'epoch', '0 epochs'),
        (2, 'class', '2 classes'),
        (3, 'box', '3 boxes'),
        (4, 'batch', '4 batches'),
    ],
)
def test_numbers(number: int, what: str, expected: str) -> None:
    assert counted(number, what) == expected


def test_verbs() -> None:
    forms = ('image has', 'images have')
    assert [counted(number, *forms) for number in (1, 2)] == ['1 image has', '2 images have']
