"""Bound the results of operators whose size or value depends on a network's predictions.

They are unknown without weights and images, so each function returns the largest: every value is
true or one, a mask selects every element, no box suppresses another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def scalar_value(x: Tensor) -> bool | int | float:
    """Return True or 1 for a tensor of one element (`Tensor.item`)."""
    if x.dtype == torch.bool:
        return True
    return 1.0 if x.is_floating_point() else 1


def all_indices(x: Tensor) -> Tensor:
    """Return indices (x.numel(), x.dim()): every element is non-zero (`nonzero`)."""
    return x.new_empty((x.numel(), x.dim()), dtype=torch.long)


def select_all(x: Tensor, mask: Tensor) -> Tensor:
    """Return all values (K,) of the broadcast tensor (`masked_select`)."""
    return x.new_empty(torch.broadcast_shapes(x.shape, mask.shape).numel())


def keep_all_boxes(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Return the indices (K,) of all boxes (K, 4) (`nms`)."""
    return boxes.new_empty(len(boxes), dtype=torch.long)


def all_unique(x: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Return K different values (K,), indices into them of x's shape, counts (K,) (`unique`)."""
    index = x.new_empty(x.shape, dtype=torch.long)
    return x.new_empty(x.numel()), index, index.new_empty(x.numel())


def equal_shapes(x: Tensor, other: Tensor) -> bool:
    """Return whether two tensors could be equal (`equal`)."""
    return x.shape == other.shape


UPPER_BOUNDS: dict[Any, Callable[..., Any]] = {
    aten._local_scalar_dense.default: scalar_value,
    aten.nonzero.default: all_indices,
    aten.masked_select.default: select_all,
    aten._unique2.default: all_unique,
    aten.equal.default: equal_shapes,
}


def upper_bound(operator: Any) -> Callable[..., Any] | None:
    """Return the function that replaces an operator, or None if its result is determined."""
    # By name: the operator is registered only once torchvision has been imported.
    if str(operator) == 'torchvision.nms.default':
        return keep_all_boxes
    return UPPER_BOUNDS.get(operator)
