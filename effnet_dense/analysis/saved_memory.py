"""Count what a forward pass saves for the backward pass, in two ways.

Hooks on saved tensors are exact, but miss what is kept on a function's `ctx` or saved under
another dispatch mode; live tensor storages include both.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

MIB = 2**20


@dataclass(frozen=True)
class SavedMemory:
    """Bytes, without parameters, buffers and the input.

    Args:
        hooks: Storages of the tensors that autograd saves.
        live: Storages that are alive after the forward pass.
    """

    hooks: int
    live: int

    @property
    def bytes(self) -> int:
        """The larger of the two counts."""
        return max(self.hooks, self.live)


def measure_saved_memory(
    model: nn.Module, x: Tensor, forward: Callable[[Tensor], Any] | None = None
) -> SavedMemory:
    """Count what a forward pass saves.

    Args:
        model: Its parameters and buffers are not counted.
        x: Images (N, 3, H, W).
        forward: Runs the pass; by default the model itself.
    """
    forward = forward or model
    excluded = _excluded(model, x)
    hooks = count_by_hooks(model, x, forward)
    return SavedMemory(hooks, _count_live(forward, x, excluded))


def _excluded(model: nn.Module, x: Tensor) -> set[int]:
    return {_storage_key(tensor) for tensor in (x, *model.parameters(), *model.buffers())}


def output_tensors(out: Any) -> list[Tensor]:
    """Return the tensors of a nested output."""
    return [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]


def _storage_key(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def count_by_hooks(
    model: nn.Module, x: Tensor, forward: Callable[[Tensor], Any] | None = None
) -> int:
    """Count the bytes that autograd saves, also in compiled models; see `measure_saved_memory`."""
    excluded = _excluded(model, x)
    saved: dict[int, Tensor] = {}  # kept alive, so that no storage's address is reused

    def pack(tensor: Tensor) -> Tensor:
        if _storage_key(tensor) not in excluded:
            saved[_storage_key(tensor)] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        (forward or model)(x)
    return sum(tensor.untyped_storage().nbytes() for tensor in saved.values())


def _count_live(forward: Callable[[Tensor], Any], x: Tensor, excluded: Iterable[int]) -> int:
    with _LiveStorages(excluded) as live:
        # Keeps the graph alive, and the outputs only if the graph holds them.
        graph = [out.grad_fn for out in output_tensors(forward(x))]
    gc.collect()
    total = sum(live.storages.values())
    del graph
    return total


class _LiveStorages(TorchDispatchMode):
    """Tracks the bytes of storages that operators inside the mode allocate, while they live."""

    def __init__(self, excluded: Iterable[int]) -> None:
        super().__init__()
        self.excluded = set(excluded)
        self.storages: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in output_tensors(out):
            storage = tensor.untyped_storage()
            key = storage._cdata
            if key not in self.excluded and key not in self.storages:
                self.storages[key] = storage.nbytes()
                weakref.finalize(storage, self.storages.pop, key, None)
        return out
