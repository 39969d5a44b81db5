"""Run operators on fake tensors without memory, and compute those on known values.

PyTorch's fake tensors have a shape and a dtype, but no values. Losses need values as well: the
number of positive anchors determines shapes. Those values mostly depend on anchors and ground
truth only, which are small, so they are computed. `undetermined` handles what depends on
predictions.

All tensors are on the CPU, even when predicting for a GPU: builds of PyTorch 2.14 for CUDA refuse
the backward pass of fake CUDA tensors on a machine without a GPU ("hasPrimaryContext expects a
valid device index"). Sizes do not depend on the device; `precision` and `training_step` handle what
does.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
    unset_fake_temporarily,
)
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_any, tree_map_only

from effnet_dense.analysis.memory.byte_counter import ByteCounter
from effnet_dense.analysis.memory.undetermined import all_indices, upper_bound

aten = torch.ops.aten
INDEXING = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default)
MASK_DTYPES = (torch.bool, torch.uint8)


class MixedFakeMode(TorchDispatchMode):
    """Operators with a fake input return fake tensors; all others are computed.

    Args:
        counter: Tracks what the operators return.
    """

    def __init__(self, counter: ByteCounter) -> None:
        super().__init__()
        self.counter = counter
        self.fake_mode = FakeTensorMode()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict | None = None
    ) -> Any:
        """Run one operator."""
        kwargs = kwargs or {}
        if tree_any(_is_fake, (args, kwargs)):
            out = self._run_fake(func, args, kwargs)
        else:
            with unset_fake_temporarily():
                out = func(*args, **kwargs)
        self.counter.track(out)
        return out

    def make_fake(self, tensor: Tensor) -> Tensor:
        """Return a fake tensor like this one; call it outside the mode, which would compute it."""
        with self.fake_mode:
            return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype)

    def _run_fake(self, func: Any, args: Any, kwargs: Any) -> Any:
        if func in INDEXING:
            args = (args[0], _masks_to_indices(args[1]), *args[2:])
        args, kwargs = tree_map_only(Tensor, self._as_fake, (args, kwargs))
        with self.fake_mode:
            bound = upper_bound(func)
            try:
                return func(*args, **kwargs) if bound is None else bound(*args, **kwargs)
            except (DataDependentOutputException, DynamicOutputShapeException) as error:
                raise ValueError(
                    f'the memory of this model depends on its predictions, by {func}, for which '
                    'there is no upper bound'
                ) from error

    def _as_fake(self, tensor: Tensor) -> Tensor:
        # A copy: a computed tensor keeps its values when fake ones are written into it.
        return tensor if _is_fake(tensor) else self.make_fake(tensor)


class ZerosOnHost(TorchFunctionMode):
    """Reading a fake tensor on the host (`.cpu()`, `.numpy()`, as some matchers do) gives zeros."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict | None = None
    ) -> Any:
        """Call one function."""
        if func in (Tensor.cpu, Tensor.numpy) and _is_fake(args[0]):
            zeros = torch.zeros(args[0].shape, dtype=args[0].dtype)
            return zeros if func is Tensor.cpu else zeros.numpy()
        return func(*args, **(kwargs or {}))


def _is_fake(x: Any) -> bool:
    return isinstance(x, FakeTensor)


def _masks_to_indices(indices: Any) -> list[Any]:
    """Replace masks among an operator's indices: they determine the result's shape."""
    found: list[Any] = []
    for index in indices:
        if isinstance(index, Tensor) and index.dtype in MASK_DTYPES:
            found += _mask_indices(index)
        else:
            found.append(index)
    return found


def _mask_indices(mask: Tensor) -> list[Tensor]:
    """Return the indices (K,) of a mask's true elements, one tensor per dimension."""
    if _is_fake(mask):
        return list(all_indices(mask).unbind(1))
    with unset_fake_temporarily():
        return list(mask.nonzero().unbind(1))
