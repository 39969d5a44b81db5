"""Classes of training and validation."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from effnet_dense.engine.checks.classes import check_classes


def dataset(*classes: str) -> Any:
    """A data set with these classes."""
    return SimpleNamespace(metainfo=dict(classes=classes))


def test_the_same_classes_or_none() -> None:
    check_classes(dataset('a', 'b'), dataset('a', 'b'))
    for other in (dataset(), SimpleNamespace(), SimpleNamespace(metainfo=dict(classes='ab'))):
        check_classes(dataset('a'), other)
        check_classes(other, dataset('a'))


def test_others_and_another_order() -> None:
    with pytest.raises(ValueError, match=r'train.* 2 classes \(b, a\), val.* 2 classes \(a, b\)'):
        check_classes(dataset('b', 'a'), dataset('a', 'b'))
    with pytest.raises(ValueError, match=r'80 classes \(0, 1, 2, 3, 4, …\)'):
        check_classes(dataset('b'), dataset(*map(str, range(80))))
