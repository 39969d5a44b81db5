"""A training step without its memory: tensors that depend on a network have no values.

PyTorch's fake tensors have a shape and a type. Losses want values, too: which anchors are positive
decides on shapes. They mostly depend on anchors and ground truth alone, and those are small: they
are computed. Where values without a network's say are not enough, see `unknown`.

All tensors are said to be on the CPU, also in place of a GPU's: builds of PyTorch 2.14 for CUDA
refuse the backward pass of fake CUDA tensors on a machine without a GPU ("hasPrimaryContext
expects a valid device index"). Bytes do not depend on it; `precision` and `step` know what does.
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

from effnet_dense.analysis.memory.tally import Tally
from effnet_dense.analysis.memory.unknown import everywhere, largest

aten = torch.ops.aten
INDEXED = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default)
MASKS = (torch.bool, torch.uint8)


class StandIns(TorchDispatchMode):
    """Operators on tensors without values make such; those on known values are computed.

    Args:
        tally: Is shown what the operators return.
    """

    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self.tally = tally
        self.fakes = FakeTensorMode()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict | None = None
    ) -> Any:
        """Run one operator."""
        kwargs = kwargs or {}
        if tree_any(_is_fake, (args, kwargs)):
            out = self._without_values(func, args, kwargs)
        else:
            with unset_fake_temporarily():
                out = func(*args, **kwargs)
        self.tally.see(out)
        return out

    def fake(self, tensor: Tensor) -> Tensor:
        """A tensor's likeness; to be made outside of this mode, which would compute it."""
        with self.fakes:
            return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype)

    def _without_values(self, func: Any, args: Any, kwargs: Any) -> Any:
        if func in INDEXED:
            args = (args[0], _without_masks(args[1]), *args[2:])
        args, kwargs = tree_map_only(Tensor, self._as_fake, (args, kwargs))
        with self.fakes:
            rule = largest(func)
            try:
                return func(*args, **kwargs) if rule is None else rule(*args, **kwargs)
            except (DataDependentOutputException, DynamicOutputShapeException) as error:
                raise ValueError(
                    f'the memory of this model depends on its predictions, by {func}, for which '
                    'there is no rule'
                ) from error

    def _as_fake(self, tensor: Tensor) -> Tensor:
        # A likeness: what has values keeps them, if unknown ones are written to it.
        return tensor if _is_fake(tensor) else self.fake(tensor)


class HostReads(TorchFunctionMode):
    """Gives zeros to who wants a tensor without values on the host, to match boxes there, say."""

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


def _without_masks(indices: Any) -> list[Any]:
    """Indices in place of masks: what a mask chooses decides on the result's shape."""
    found: list[Any] = []
    for index in indices:
        if isinstance(index, Tensor) and index.dtype in MASKS:
            found += _chosen(index)
        else:
            found.append(index)
    return found


def _chosen(mask: Tensor) -> list[Tensor]:
    """The indices (K,) of a mask's elements, by dimension."""
    if _is_fake(mask):
        return list(everywhere(mask).unbind(1))
    with unset_fake_temporarily():
        return list(mask.nonzero().unbind(1))
