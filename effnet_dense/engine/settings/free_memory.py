"""The memory that a training may take: a GPU's, or the machine's within its container's limit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config

from effnet_dense.engine.settings.device import device_of

CUDA_RESERVE = 2**30
"""Bytes for CUDA's context and cuDNN's workspaces, which are not predicted."""
CUDA_SHARE, CPU_SHARE = 0.95, 0.7
"""Shares of the free memory to use: allocators round up, and loaders' processes hold images."""
MEMINFO = Path('/proc/meminfo')
CGROUPS = (
    ('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory.current'),
    (
        '/sys/fs/cgroup/memory/memory.limit_in_bytes',
        '/sys/fs/cgroup/memory/memory.usage_in_bytes',
    ),
)
"""Files with the limit and the use of a container, of control groups 2 and 1."""


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
    free = _available()
    return FreeMemory(free, int(free * CPU_SHARE), gpu=False)


def _available() -> int:
    try:
        lines = MEMINFO.read_text(encoding='utf-8').splitlines()
    except OSError as error:
        raise ValueError(
            f'--batch-size auto: expected the free memory in {MEMINFO}, got {error}; write a number'
        ) from None
    values = dict(line.split(':', 1) for line in lines if ':' in line)
    free = int(values['MemAvailable'].split()[0]) * 1024
    return min([free, *(_left(Path(most), Path(used)) for most, used in CGROUPS)])


def _left(limit: Path, used: Path) -> int:
    """Return the bytes left in a container; a number larger than any memory without a limit."""
    try:
        most, now = (int(file.read_text(encoding='utf-8')) for file in (limit, used))
    except (OSError, ValueError):  # another version of control groups, or 'max'
        return 2**63
    return max(most - now, 0)
