"""Results whose size or value depends on what a network would have said.

There is no telling without its weights and images, so these are the largest: every value is true
or one, every element of a mask is chosen, no box suppresses another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def one(x: Tensor) -> bool | int | float:
    """A value as a Python number."""
    if x.dtype == torch.bool:
        return True
    return 1.0 if x.is_floating_point() else 1


def everywhere(x: Tensor) -> Tensor:
    """The indices (x.numel(), x.dim()) of what is not zero."""
    return x.new_empty((x.numel(), x.dim()), dtype=torch.long)


def all_of(x: Tensor, mask: Tensor) -> Tensor:
    """The chosen values (K,)."""
    return x.new_empty(torch.broadcast_shapes(x.shape, mask.shape).numel())


def all_boxes(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """The indices (K,) of K boxes (K, 4)."""
    return boxes.new_empty(len(boxes), dtype=torch.long)


def all_different(x: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor, Tensor]:
    """The values (K,), where each is among them, as x is, and how often they occur (K,)."""
    index = x.new_empty(x.shape, dtype=torch.long)
    return x.new_empty(x.numel()), index, index.new_empty(x.numel())


def same(x: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal."""
    return x.shape == other.shape


LARGEST: dict[Any, Callable[..., Any]] = {
    aten._local_scalar_dense.default: one,
    aten.nonzero.default: everywhere,
    aten.masked_select.default: all_of,
    aten._unique2.default: all_different,
    aten.equal.default: same,
}


def largest(func: Any) -> Callable[..., Any] | None:
    """The rule for an operator, if it needs one."""
    # Looked up by name: torchvision's operators are there once it was imported.
    if str(func) == 'torchvision.nms.default':
        return all_boxes
    return LARGEST.get(func)
