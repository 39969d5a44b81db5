"""The memory that a training may take: a GPU's, or the machine's within its container's limit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from mmengine.config import Config

from effnet_dense.engine.settings.device import device_of
from effnet_dense.utils.available_memory import available_memory

CUDA_RESERVE = 2**30
"""Bytes for CUDA's context and cuDNN's workspaces, which are not predicted."""
CUDA_SHARE, CPU_SHARE = 0.95, 0.7
"""Shares of the free memory to use: allocators round up, and loaders' processes hold images."""


@dataclass(frozen=True)
class FreeMemory:
    """Memory for a training.

    Attributes:
        free: Bytes.
        usable: Bytes of it for tensors.
        gpu: Whether it is a GPU's.
    """

    free: int
    usable: int
    gpu: bool

    @property
    def where(self) -> str:
        """Where the memory is, in a word."""
        return 'GPU' if self.gpu else 'CPU'


def free_memory(config: Config) -> FreeMemory:
    """Return the free memory of the device that a config trains on.

    Raises:
        ValueError: The system does not say how much is free.
    """
    device = torch.device(device_of(config))
    if device.type == 'cuda':
        free = torch.cuda.mem_get_info(device)[0]
        return FreeMemory(free, max(int((free - CUDA_RESERVE) * CUDA_SHARE), 0), gpu=True)
    try:
        free = available_memory()
    except OSError as error:
        raise ValueError(
            f'--batch-size auto: expected the free memory in {error.filename}, got {error}; '
            'write a number'
        ) from None
    return FreeMemory(free, int(free * CPU_SHARE), gpu=False)
