"""Count the bytes that a forward pass saves, in two independent ways."""

from __future__ import annotations

import gc
import weakref

from torch import Tensor, autograd, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Alive(TorchDispatchMode):
    """Bytes of the storages that are allocated inside and still alive."""

    def __init__(self, known: list[Tensor]) -> None:
        super().__init__()
        self.known = {tensor.untyped_storage()._cdata for tensor in known}
        self.storages: dict[int, int] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                key = storage._cdata
                if key not in self.known and key not in self.storages:
                    self.storages[key] = storage.nbytes()
                    weakref.finalize(storage, self.storages.pop, key, None)
        return out


def saved_bytes(model: nn.Module, x: Tensor) -> tuple[int, int]:
    """Bytes passed to autograd to save, and bytes allocated and still alive; without the output."""
    there = [x, *model.parameters(), *model.buffers()]
    known = {tensor.untyped_storage()._cdata for tensor in there}
    saved: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage()._cdata not in known:
            saved[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = model(x)
    asked = sum(tensor.untyped_storage().nbytes() for tensor in saved.values())
    del y
    saved.clear()
    with Alive(there) as alive:
        y = model(x)
    gc.collect()
    return asked, sum(alive.storages.values()) - sum(t.nbytes for t in tree_leaves(y))
