"""Weights of classes in a loss, for another number of classes."""

from __future__ import annotations

from effnet_dense.data.class_weights import weights_for


def test_no_object_keeps_its_weight() -> None:
    assert weights_for([2.0, 2.0, 0.1], 2, 3) == [2.0, 2.0, 2.0, 0.1]
    assert weights_for([3.0, 2.0, 0.1], 2, 1) == [1.0, 0.1]  # single weights belong to the classes


def test_weights_that_fit_stay_and_others_go() -> None:
    assert weights_for((1.0, 2.0), 5, 2) == [1.0, 2.0]
    assert weights_for([1.0, 2.0], None, 3) is None
    assert weights_for([1.0, 2.0], 2, 3) is None
