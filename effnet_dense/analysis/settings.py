"""What all contenders of a comparison share: input, device, precision, patience."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from effnet_dense.analysis.heap import keep_freed_memory

DTYPES = {'fp32': torch.float32, 'bf16': torch.bfloat16, 'fp16': torch.float16}
SMALLEST = 32  # C5 is one pixel


@dataclass(frozen=True)
class Settings:
    """The conditions of a comparison.

    Args:
        size: Height and width of the pictures, in pixels.
        batch: Pictures of a training step, and of the larger of the two inference batches.
        repeats: Rounds, in each of which every contender runs once.
        threads: Of PyTorch's operators; None leaves them as they are.
        precision: 'fp32', or the type of autocast.
        keep_memory: Whether freed memory stays with the process, see `keep_freed_memory`.

    Raises:
        ValueError: A number is out of range, or the device or precision is unknown.
    """

    size: int = 512
    batch: int = 2
    repeats: int = 7
    threads: int | None = None
    device: str = 'cpu'
    precision: str = 'fp32'
    seed: int = 0
    keep_memory: bool = False

    def __post_init__(self) -> None:
        for name, least in (('size', SMALLEST), ('batch', 1), ('repeats', 1), ('threads', 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f'{name} must be at least {least}, got {value}')
        if self.precision not in DTYPES:
            raise ValueError(f'precision must be one of {list(DTYPES)}, got {self.precision!r}')
        kind = self.device.partition(':')[0]
        if kind not in ('cpu', 'cuda'):
            raise ValueError(f"device must be 'cpu' or 'cuda', got {self.device!r}")
        if kind == 'cuda' and not torch.cuda.is_available():
            raise ValueError(f'device {self.device!r} was asked for, but torch finds no CUDA here')

    @property
    def on_cuda(self) -> bool:
        """Whether the device is a GPU."""
        return self.device.startswith('cuda')

    def apply(self) -> None:
        """Set this process's number of threads, and its heap.

        Raises:
            ValueError: The C library's heap cannot be set.
        """
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        if self.keep_memory and not keep_freed_memory():
            raise ValueError('keep_memory needs glibc, and this C library has no mallopt')

    def images(self, batch: int, channels_last: bool) -> Tensor:
        """Random normalised pictures (batch, 3, size, size), the same in every call."""
        generator = torch.Generator().manual_seed(self.seed)
        x = torch.randn(batch, 3, self.size, self.size, generator=generator).to(self.device)
        return x.contiguous(memory_format=memory_format(channels_last))

    def autocast(self) -> AbstractContextManager:
        """Mixed precision, where it is asked for."""
        if self.precision == 'fp32':
            return nullcontext()
        return torch.autocast(self.device.partition(':')[0], DTYPES[self.precision])


def memory_format(channels_last: bool) -> torch.memory_format:
    """The layout of weights and pictures."""
    return torch.channels_last if channels_last else torch.contiguous_format
