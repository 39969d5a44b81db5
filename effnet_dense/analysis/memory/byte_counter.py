"""Count the bytes of live tensor storages by category, and record their peak."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

CUDA_BLOCK = 512
"""Bytes to which PyTorch's CUDA allocator rounds up (kMinBlockSize, CUDACachingAllocator.cpp)."""


class Category(StrEnum):
    """What a storage holds: except for gradients, the phase in which it was allocated."""

    PARAMETERS = 'parameters'
    BUFFERS = 'buffers'
    AVERAGE = 'averaged weights'
    OPTIMIZER = "optimizer's states"
    GRADIENTS = 'gradients'
    BATCH = 'images and truths'
    ACTIVATIONS = 'activations'
    BACKWARD = 'temporary, backward'
    STEP = 'temporary, optimizer'


@dataclass
class ByteCounter:
    """Bytes of the tracked storages while they are alive.

    Args:
        block: Sizes are rounded up to a multiple of it, in bytes.
        category: Category of the storages that are tracked from now on.
        peak: The largest number of live bytes so far.
        peak_category: The category that was being allocated then.
        peak_parts: Category → live bytes then.
    """

    block: int = 1
    category: Category = Category.PARAMETERS
    peak: int = 0
    peak_category: Category = Category.PARAMETERS
    peak_parts: dict[Category, int] = field(default_factory=dict)
    _bytes: Counter[Category] = field(default_factory=Counter)
    _storages: dict[int, tuple[Category, int]] = field(default_factory=dict)

    def track(self, tensors: Any) -> None:
        """Count the storages of tensors, in nested containers, that are not tracked yet."""
        for tensor in tree_leaves(tensors):
            if isinstance(tensor, Tensor):
                self._add(tensor.untyped_storage())

    def relabel(self, tensors: Iterable[Tensor], category: Category) -> None:
        """Change the category of tracked tensors."""
        for tensor in tensors:
            key = tensor.untyped_storage()._cdata
            old, size = self._storages[key]
            self._storages[key] = category, size
            self._bytes[old] -= size
            self._bytes[category] += size

    def live_bytes(self) -> int:
        """Return the number of bytes that are alive now."""
        return self._bytes.total()

    def reset_peak(self) -> None:
        """Set the peak to the bytes that are alive now."""
        self.peak, self.peak_category = self.live_bytes(), self.category
        self.peak_parts = dict(self._bytes)

    def _add(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        size = -(-storage.nbytes() // self.block) * self.block
        if key in self._storages or not size:
            return
        self._storages[key] = self.category, size
        self._bytes[self.category] += size
        weakref.finalize(storage, self._remove, key)
        if self.live_bytes() > self.peak:
            self.reset_peak()

    def _remove(self, key: int) -> None:
        category, size = self._storages.pop(key)
        self._bytes[category] -= size
