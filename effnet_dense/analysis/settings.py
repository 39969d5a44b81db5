"""Define the conditions of a measurement: input, device, precision, repeats."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from effnet_dense.analysis.allocator import keep_freed_memory

DTYPES = {'fp32': torch.float32, 'bf16': torch.bfloat16, 'fp16': torch.float16}
MIN_SIZE = 32
"""Pixels; C5 is then 1 × 1."""


@dataclass(frozen=True)
class Settings:
    """The conditions under which networks are measured.

    Args:
        size: Height and width of the images, in pixels.
        batch: Images per training step, and of the larger of the two inference batches.
        repeats: Rounds; in each, every network runs once.
        threads: Threads of PyTorch's operators; None leaves the number unchanged.
        device: 'cpu', 'cuda' or 'cuda:1'.
        precision: 'fp32', or the dtype of autocast.
        seed: Seed of weights and images.
        keep_memory: Whether freed memory stays in the process, see `keep_freed_memory`.
        tf32: Whether GPUs round float32 to TF32 in convolutions and matrix products.

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
    tf32: bool = True

    def __post_init__(self) -> None:
        for name, least in (('size', MIN_SIZE), ('batch', 1), ('repeats', 1), ('threads', 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f'{name} must be at least {least}, got {value}')
        if self.precision not in DTYPES:
            raise ValueError(f'precision must be one of {list(DTYPES)}, got {self.precision!r}')
        if self.device_type not in ('cpu', 'cuda'):
            raise ValueError(f"device must be 'cpu' or 'cuda', got {self.device!r}")
        if self.on_cuda and not torch.cuda.is_available():
            raise ValueError(f'device {self.device!r} was requested, but torch finds no CUDA')

    @property
    def device_type(self) -> str:
        """The device without its index."""
        return self.device.partition(':')[0]

    @property
    def on_cuda(self) -> bool:
        """Whether the device is a GPU."""
        return self.device_type == 'cuda'

    def apply(self) -> None:
        """Set this process's number of threads, its allocator, and what users set on GPUs.

        There cuDNN tries all algorithms once per shape, and float32 is TF32 if `tf32` is set.

        Raises:
            ValueError: The C library's allocator cannot be configured.
        """
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        if self.keep_memory and not keep_freed_memory():
            raise ValueError('keep_memory requires glibc, and this C library has no mallopt')
        if self.on_cuda:
            torch.backends.cudnn.benchmark = True
            torch.backends.cudnn.allow_tf32 = self.tf32
            torch.backends.cuda.matmul.allow_tf32 = self.tf32

    def images(self, batch: int, channels_last: bool) -> Tensor:
        """Return random normalised images (batch, 3, size, size), the same in every call."""
        generator = torch.Generator().manual_seed(self.seed)
        x = torch.randn(batch, 3, self.size, self.size, generator=generator).to(self.device)
        return x.contiguous(memory_format=memory_format(channels_last))

    def autocast(self) -> AbstractContextManager:
        """Return the context of forward passes: mixed precision unless it is 'fp32'."""
        if self.precision == 'fp32':
            return nullcontext()
        return torch.autocast(self.device_type, DTYPES[self.precision])


def memory_format(channels_last: bool) -> torch.memory_format:
    """Return PyTorch's name of the memory format."""
    return torch.channels_last if channels_last else torch.contiguous_format
