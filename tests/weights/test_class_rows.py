"""Rows of class layers are copied by the names of the classes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from effnet_dense.weights.class_rows import class_rows, fit_rows

OLD, NEW = ('a', 'b', 'c'), ('c', 'x', 'a')


def rows(count: int, start: float = 0.0) -> torch.Tensor:
    return torch.arange(count).float()[:, None] + start


def fitted(old: int, new: int, per_class: int, class_first: bool = False) -> list[float]:
    result = fit_rows(rows(old), rows(new, 100), per_class, OLD, NEW, class_first)
    assert result is not None
    return result[:, 0].tolist()


def test_one_row_per_class() -> None:
    assert fitted(3, 3, 1) == [2, 101, 0]


def test_background_follows_the_classes() -> None:
    assert fitted(4, 4, 1) == [2, 101, 0, 3]


def test_anchors_come_before_classes() -> None:
    assert fitted(6, 6, 2) == [2, 101, 0, 5, 104, 3]


def test_boxes_of_a_class_are_adjacent() -> None:
    assert fitted(6, 6, 2, class_first=True) == [4, 5, 102, 103, 0, 1]


def test_no_class_in_common() -> None:
    result = fit_rows(rows(2), rows(3, 100), 1, ('p', 'q'), NEW)
    assert result is not None
    assert result[:, 0].tolist() == [100, 101, 102]


@pytest.mark.parametrize(
    ('old', 'new', 'per_class'), [(5, 3, 1), (3, 4, 1), (9, 9, 2), (18, 18, 3)]
)
def test_layers_of_another_form(old: int, new: int, per_class: int) -> None:
    """YOLOv3's rows, of which each anchor's first five are no class, and other numbers."""
    assert fit_rows(rows(old), rows(new, 100), per_class, OLD, NEW) is None


def test_class_layers_are_those_that_grow_with_a_class() -> None:
    def model(classes: int) -> nn.Module:
        parts = dict(cls=nn.Linear(4, 2 * classes), bias=nn.Linear(2, 1), box=nn.Linear(4, 8))
        return nn.ModuleDict(parts)

    assert class_rows(model(3), model(4)) == {'cls.weight': 2, 'cls.bias': 2}
