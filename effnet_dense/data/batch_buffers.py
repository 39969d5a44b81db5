"""Hand batches from a loader's processes to the training in one block of shared memory.

torch opens a block, a file and a connection for each tensor, of which a detection sample has five,
and arrays, such as those of masks, go through a pipe. Here all bytes of a batch lie in one block,
and views of it make the same batch again: the process that trains takes a third of the time for it.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, get_worker_info

ALIGNMENT = 64
"""Bytes of a cache line: every tensor begins at a multiple."""

ARRAY_TYPES = (
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.float16, torch.float32, torch.float64),
)
"""Types that numpy has, too; other tensors are pickled with their values."""


def share_one_buffer(loader: DataLoader) -> DataLoader:
    """Let a loader's processes, if it has any, hand over their batches as `OneBuffer`.

    Args:
        loader: Changed in place; its batches stay the same.
    """
    if loader.num_workers and not isinstance(loader.collate_fn, Collate):
        loader.collate_fn = Collate(loader.collate_fn)
    return loader


class Collate:
    """A loader's own function, whose batches leave a worker as `OneBuffer`.

    Args:
        function: Makes a batch from samples.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def __call__(self, samples: Any) -> Any:
        """Return a batch; in a worker, one that arrives as such."""
        batch = self.function(samples)
        return batch if get_worker_info() is None else OneBuffer(batch)


class OneBuffer:
    """A batch on its way to another process, where it is unpickled as the batch itself.

    Args:
        batch: Nested containers and objects with tensors on the CPU and arrays.
    """

    def __init__(self, batch: Any) -> None:
        self.batch = batch

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as a text without the values, and a block of shared memory with them."""
        text, views = io.BytesIO(), list[memoryview]()
        _Pickler(text, views).dump(self.batch)
        starts, end = [], 0
        for view in views:
            starts.append(end)
            end += -(-view.nbytes // ALIGNMENT) * ALIGNMENT
        block = torch.empty(0, dtype=torch.uint8)
        block.set_(torch.UntypedStorage._new_shared(end))
        memory = block.numpy().data
        for start, view in zip(starts, views, strict=True):
            memory[start : start + view.nbytes] = view
        sizes = [(start, view.nbytes) for start, view in zip(starts, views, strict=True)]
        return _restore, (text.getvalue(), block, sizes)


def _restore(text: bytes, block: Tensor, sizes: Sequence[tuple[int, int]]) -> Any:
    """Make a batch from its text, with views of the block (N) of uint8."""
    memory = block.numpy().data
    return pickle.loads(text, buffers=[memory[start : start + size] for start, size in sizes])


class _Pickler(pickle.Pickler):
    """Pickles without the values of dense tensors and arrays.

    Args:
        file: Where the rest is written.
        views: Filled with the values' memory.
    """

    def __init__(self, file: io.BytesIO, views: list[memoryview]) -> None:
        super().__init__(file, 5, buffer_callback=lambda buffer: views.append(buffer.raw()))

    def reducer_override(self, thing: Any) -> Any:
        """Pickle a tensor as an array."""
        if type(thing) is not Tensor or not _has_array(thing):
            return NotImplemented
        return torch.from_numpy, (thing.numpy(),)


def _has_array(tensor: Tensor) -> bool:
    """Whether numpy's array of a tensor is all there is of it."""
    plain = tensor.device.type == 'cpu' and tensor.layout == torch.strided
    return plain and not tensor.requires_grad and tensor.dtype in ARRAY_TYPES
