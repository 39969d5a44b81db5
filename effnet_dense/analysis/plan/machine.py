"""Describe the machine that a training is planned for: cores, memory, GPU."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from effnet_dense.utils.available_memory import available_memory
from effnet_dense.utils.counted import counted

GIB = 2**30


@dataclass(frozen=True)
class Machine:
    """What a training runs on.

    Attributes:
        cores: That this process may use.
        threads: Of PyTorch's operators.
        ram: Bytes that are available now.
        device: 'cpu' or 'cuda'.
        gpu: Its name; '' without one.
        gpu_memory: Bytes of it that are free.
        load: Other processes that wanted a core in the last minute.
    """

    cores: int
    threads: int
    ram: int
    device: str = 'cpu'
    gpu: str = ''
    gpu_memory: int = 0
    load: float = 0.0

    @property
    def on_gpu(self) -> bool:
        """Whether training uses a GPU."""
        return self.device != 'cpu'

    @property
    def memory(self) -> int:
        """Bytes that a training may take."""
        return self.gpu_memory if self.on_gpu else self.ram

    def __str__(self) -> str:
        cpu = f'{counted(self.cores, "CPU core")} ({counted(self.threads, "thread")})'
        text = f'{cpu}, {self.ram / GIB:.1f} GiB of memory free'
        if self.on_gpu:
            return f'{self.gpu} with {self.gpu_memory / GIB:.1f} GiB free, {text}'
        busy = f', load {self.load:.1f}: times include it' if self.load > self.cores / 2 else ''
        return f'{text}, no GPU{busy}'


def this_machine() -> Machine:
    """Look at this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    load = os.getloadavg()[0] if hasattr(os, 'getloadavg') else 0.0
    values = dict(cores=cores or 1, threads=torch.get_num_threads(), ram=free_memory(), load=load)
    if not torch.cuda.is_available():
        return Machine(**values)  # type: ignore[arg-type]
    free, _ = torch.cuda.mem_get_info()
    name = torch.cuda.get_device_name()
    return Machine(**values, device='cuda', gpu=name, gpu_memory=free)  # type: ignore[arg-type]


def free_memory(meminfo: Path | None = None) -> int:
    """Return the bytes of memory that are available; all of it where the system does not say."""
    try:
        return available_memory(meminfo)
    except OSError:
        return os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
