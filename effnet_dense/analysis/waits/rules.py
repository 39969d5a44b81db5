"""Which operators make the host wait for a GPU.

Sources: `cudaStreamSynchronize` in torch's aten/src/ATen/native/cuda (Copy.cu, Nonzero.cu,
Scalar.cu, Unique.cu, IndexKernel), the same places that `torch.cuda.set_sync_debug_mode` reports;
CUDA's "API synchronization behavior" for copies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten

STAGED = 64 * 1024
"""Bytes up to which an asynchronous copy from pageable memory returns at once."""

IsOnGPU = Callable[[Any], bool]

SIZE_FROM_VALUES = {
    aten.nonzero: 'nonzero',
    aten.masked_select: 'masked_select',
    aten._unique2: 'unique',
    aten.unique_dim: 'unique',
    aten.unique_consecutive: 'unique_consecutive',
    aten.bincount: 'bincount',
}
"""Their results' sizes depend on values, which the host needs in order to allocate them."""


def wait_reason(
    operator: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    on_gpu: IsOnGPU,
    pinned: IsOnGPU,
) -> str | None:
    """Return why the host would wait, or None.

    Args:
        operator: An overload of torch.ops with a tensor on the GPU among its arguments, or that
            creates one.
        args, kwargs: Its arguments.
        on_gpu: Whether a value is a tensor on the GPU.
        pinned: Whether a tensor of the CPU is in pinned memory.
    """
    packet = operator.overloadpacket
    if packet is aten._local_scalar_dense:
        return 'a value is read'
    if packet is aten.equal:
        return 'equal'
    if packet in SIZE_FROM_VALUES:
        return SIZE_FROM_VALUES[packet]
    if packet is aten.repeat_interleave and kwargs.get('output_size') is None:
        return 'repeat_interleave without output_size'
    if str(packet) == 'torchvision.nms':
        return 'nms'
    if packet is aten._to_copy:
        to_host = torch.device(kwargs.get('device') or 'meta').type == 'cpu'
        return _copy(args[0], to_host, kwargs.get('non_blocking'), on_gpu, pinned)
    if packet is aten.copy_:
        blocking = not (args[2] if len(args) > 2 else kwargs.get('non_blocking'))
        return _copy(args[1], not on_gpu(args[0]), not blocking, on_gpu, pinned)
    if packet in (aten.index, aten.index_put, aten.index_put_, aten._unsafe_index):
        return _indexing(packet, args, on_gpu)
    return None


def _copy(
    source: Tensor, to_host: bool, asynchronous: Any, on_gpu: IsOnGPU, pinned: IsOnGPU
) -> str | None:
    """Return why a copy waits; copies within a device, and of single numbers, do not."""
    if on_gpu(source):
        return 'a copy to the host' if to_host and not asynchronous else None
    if to_host:
        return None
    if not asynchronous:
        return 'a copy from the host'
    size = source.numel() * source.element_size()
    return 'a copy from pageable memory' if size > STAGED and not pinned(source) else None


def _indexing(packet: Any, args: tuple[Any, ...], on_gpu: IsOnGPU) -> str | None:
    """Return why an indexed access waits: masks have to be counted, host's indices copied."""
    indices = [index for index in args[1] if index is not None]
    masks = [index for index in indices if index.dtype in (torch.bool, torch.uint8)]
    writes = packet in (aten.index_put, aten.index_put_)
    if writes and len(indices) == len(masks) == 1 and not args[2].dim():
        return None  # `x[mask] = 0` becomes masked_fill
    if masks:
        return 'a boolean mask'
    return None if all(map(on_gpu, indices)) else "the host's indices"
