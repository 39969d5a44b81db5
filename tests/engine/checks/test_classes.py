"""Classes of training and validation."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from effnet_dense.engine.checks.classes import check_classes, check_num_classes


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


def test_heads_of_queries() -> None:
    """Mask2Former's things are compared, unless it has stuff too."""
    heads = {
        name: SimpleNamespace(num_things_classes=2, num_stuff_classes=0, num_classes=2)
        for name in ('panoptic_head', 'panoptic_fusion_head')
    }
    model = SimpleNamespace(**heads)
    check_num_classes(model, dataset('a', 'b'))
    with pytest.raises(ValueError, match=r'write model\.panoptic_head\.num_things_classes=1'):
        check_num_classes(model, dataset('a'))
    model.panoptic_fusion_head.num_stuff_classes = 3
    check_num_classes(model, dataset('a'))
