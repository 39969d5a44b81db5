"""What classes and functions accept, by their signatures."""

from __future__ import annotations

from typing import Any

import pytest
from mmdet.datasets import CocoDataset
from mmengine.hooks import CheckpointHook
from torch.optim import SGD

from effnet_dense.engine.checks.signatures import arguments_of, check_names, check_numbers


class Base:
    """Takes one argument, and another out of its `**kwargs`."""

    def __init__(self, size: int, **kwargs: Any) -> None:
        self.size, self.rest = size, kwargs


class Child(Base):
    """Passes what it does not know to its base."""

    def __init__(self, *args: Any, name: str = '', **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


def test_arguments_of_classes_and_functions() -> None:
    def function(a: int, b: float = 1.0) -> None: ...
    def open_function(**kwargs: Any) -> None: ...

    assert arguments_of(function) == dict(a=int, b=float)
    assert arguments_of(open_function) is None
    assert arguments_of(Child) is None, 'classes of others may accept any'
    known = arguments_of(CheckpointHook)
    assert known is None or 'interval' in known
    assert 'lr' in (arguments_of(SGD) or {}) and 'self' not in (arguments_of(SGD) or {})


def test_keyword_arguments_are_followed_through_the_libraries() -> None:
    known = arguments_of(CocoDataset)
    assert known is not None
    assert {'ann_file', 'pipeline', 'filter_cfg', 'proposal_file'} <= known.keys()


def test_unknown_names() -> None:
    check_names('a', dict(size=1), {'size', 'name'})
    with pytest.raises(ValueError, match=r'^a\.sise=1: there is no such argument; did you mean si'):
        check_names('a', dict(sise=1), {'size', 'name'})
    with pytest.raises(ValueError, match=r'known are name, size'):
        check_names('a', dict(zzz=1), {'size', 'name'})
    with pytest.raises(ValueError, match=r'it takes no arguments'):
        check_names('a', dict(zzz=1), ())


@pytest.mark.parametrize(
    ('value', 'kind', 'accepted'),
    [
        (1, int, True),
        (True, int, True),
        (None, float, True),
        (1, float, True),
        ('1', int, False),
        ([1], float, False),
        ('x', str, True),
        ('x', Any, True),
    ],
)
def test_numbers(value: Any, kind: Any, accepted: bool) -> None:
    if accepted:
        check_numbers('a', dict(b=value), dict(b=kind))
        return
    with pytest.raises(ValueError, match=rf'a\.b must be of type {kind.__name__}, got'):
        check_numbers('a', dict(b=value), dict(b=kind))
