"""Counts the bytes of living storages, by what they are for, and remembers the largest sum."""

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

# The blocks of PyTorch's CUDA allocator: kMinBlockSize in c10/cuda/CUDACachingAllocator.cpp.
CUDA_BLOCK = 512


class Kind(StrEnum):
    """What a storage is for; where it was made tells, but for gradients."""

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
class Tally:
    """The storages that it was shown and that are alive.

    Args:
        block: Sizes are rounded up to a multiple of it, in bytes.
    """

    block: int = 1
    kind: Kind = Kind.PARAMETERS
    peak: int = 0
    peak_kind: Kind = Kind.PARAMETERS  # what was being made then
    peak_parts: dict[Kind, int] = field(default_factory=dict)
    _bytes: Counter[Kind] = field(default_factory=Counter)
    _storages: dict[int, tuple[Kind, int]] = field(default_factory=dict)

    def see(self, tensors: Any) -> None:
        """Count the storages of tensors, in any nest of containers, that are new."""
        for tensor in tree_leaves(tensors):
            if isinstance(tensor, Tensor):
                self._add(tensor.untyped_storage())

    def relabel(self, tensors: Iterable[Tensor], kind: Kind) -> None:
        """Say what living tensors turned out to be for."""
        for tensor in tensors:
            key = tensor.untyped_storage()._cdata
            old, size = self._storages[key]
            self._storages[key] = kind, size
            self._bytes[old] -= size
            self._bytes[kind] += size

    def alive(self) -> int:
        """Bytes now."""
        return self._bytes.total()

    def forget_peak(self) -> None:
        """Look for the largest sum from here on."""
        self.peak, self.peak_kind, self.peak_parts = self.alive(), self.kind, dict(self._bytes)

    def _add(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        size = -(-storage.nbytes() // self.block) * self.block
        if key in self._storages or not size:
            return
        self._storages[key] = self.kind, size
        self._bytes[self.kind] += size
        weakref.finalize(storage, self._remove, key)
        if self.alive() > self.peak:
            self.peak, self.peak_kind = self.alive(), self.kind
            self.peak_parts = dict(self._bytes)

    def _remove(self, key: int) -> None:
        kind, size = self._storages.pop(key)
        self._bytes[kind] -= size
