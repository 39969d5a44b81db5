"""What a forward pass keeps for the backward pass, counted in two ways.

The hooks of saved tensors are exact, but do not see what is kept on a function's `ctx` or saved
under another mode; living storages are what is really there.
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
class Saved:
    """Bytes, without parameters, buffers and the input."""

    hooks: int
    alive: int

    @property
    def bytes(self) -> int:
        """The larger of the two counts."""
        return max(self.hooks, self.alive)


def saved_bytes(
    model: nn.Module, x: Tensor, forward: Callable[[Tensor], Any] | None = None
) -> Saved:
    """Count what `forward` (by default the model) keeps of the pictures x (N, 3, H, W)."""
    forward = forward or model
    known = {_key(tensor) for tensor in (x, *model.parameters(), *model.buffers())}
    return Saved(_through_hooks(forward, x, known), _alive_after(forward, x, known))


def tensors(out: Any) -> list[Tensor]:
    """The tensors of a nested result."""
    return [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]


def _key(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _through_hooks(forward: Callable[[Tensor], Any], x: Tensor, known: set[int]) -> int:
    saved: dict[int, Tensor] = {}  # kept alive: a storage's address is not to be used again

    def pack(tensor: Tensor) -> Tensor:
        if _key(tensor) not in known:
            saved[_key(tensor)] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        forward(x)
    return sum(tensor.untyped_storage().nbytes() for tensor in saved.values())


def _alive_after(forward: Callable[[Tensor], Any], x: Tensor, known: Iterable[int]) -> int:
    with _Alive(known) as alive:
        # The graph lives, the features themselves only where it needs them.
        graph = [out.grad_fn for out in tensors(forward(x))]
    gc.collect()
    total = sum(alive.storages.values())
    del graph
    return total


class _Alive(TorchDispatchMode):
    """Bytes of the storages that are made inside and are alive."""

    def __init__(self, known: Iterable[int]) -> None:
        super().__init__()
        self.known = set(known)
        self.storages: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tensors(out):
            storage = tensor.untyped_storage()
            key = storage._cdata
            if key not in self.known and key not in self.storages:
                self.storages[key] = storage.nbytes()
                weakref.finalize(storage, self.storages.pop, key, None)
        return out
