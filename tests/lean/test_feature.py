"""Values that are computed again, by counting."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from effnet_dense.lean.feature import Feature, Recomputed


class Counted:
    """x ↦ 2x, counting its calls."""

    calls = 0

    def __call__(self, x: Tensor) -> Tensor:
        self.calls += 1
        return 2 * x


def doubled(function: Counted) -> tuple[Tensor, Feature]:
    x = torch.randn(4, requires_grad=True)
    return x, Feature(x).then(function)


def test_what_nobody_saves_is_never_computed_again() -> None:
    function = Counted()
    x, feature = doubled(function)
    (feature.x + 1).sum().backward()
    assert function.calls == 1
    assert torch.equal(x.grad, torch.full((4,), 2.0))


def test_computed_once_for_all_readers_of_a_pass() -> None:
    function = Counted()
    x, feature = doubled(function)
    # Two operators save it, and a third value is computed from it: y = sin 2x + (silu 2x)².
    active = feature.then(F.silu)
    feature.then(torch.exp)  # which nobody reads
    y = feature.through(torch.sin) + active.through(torch.square)
    assert feature.again is not None
    assert feature.again.readers == 3
    for number in (2, 3):
        y.sum().backward(retain_graph=True)
        assert function.calls == number
        assert feature.again.kept is None
    copy = x.detach().clone().requires_grad_()
    (2 * copy).sin().add(F.silu(2 * copy) ** 2).sum().backward()
    torch.testing.assert_close(x.grad, 2 * copy.grad)


def test_the_feature_itself_is_released() -> None:
    _, feature = doubled(Counted())
    out = feature.through(torch.sin)
    gone = weakref.ref(feature.x)
    del feature
    gc.collect()
    assert gone() is None
    out.sum().backward()


def test_a_saved_feature_is_saved() -> None:
    x = torch.randn(4, requires_grad=True)
    assert Feature(x).source is x
    assert Feature(x).through(torch.sin).grad_fn._saved_self is x


def test_a_changed_bias() -> None:
    bias = torch.zeros(4)
    value = Recomputed(torch.add, torch.ones(4), bias, bias=bias)
    assert torch.equal(value.read(), torch.ones(4))
    bias.add_(1)
    with pytest.raises(RuntimeError, match='was changed in place'):
        value.read()


def test_a_changed_weight() -> None:
    """Which an operator saves beside the feature."""
    _, feature = doubled(Counted())
    weight = torch.ones(4, requires_grad=True)
    out = feature.through(torch.mul, weight).sum()
    with torch.no_grad():
        weight.add_(1)
    with pytest.raises(RuntimeError, match=r'shape \(4,\), version 1 instead of 0'):
        out.backward()
