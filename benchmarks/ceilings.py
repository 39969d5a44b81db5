"""Measure the machine's ceilings: the speed of a matrix product and of a copy."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from effnet_dense.analysis.latency import time_interleaved
from effnet_dense.analysis.settings import DTYPES, Settings


@dataclass(frozen=True)
class Ceilings:
    """The machine's speed, measured in the same run as the networks: load slows down both.

    Args:
        gflops: 10⁹ operations a second; a multiply-add counts as two.
        copy_gb: 10⁹ bytes a second, read and written.
    """

    gflops: float
    copy_gb: float


def measure_ceilings(
    settings: Settings, side: int | None = None, count: int | None = None
) -> Ceilings:
    """Measure both, the best of five, on random numbers: constant ones are faster on GPUs.

    Args:
        settings: Provides device and precision.
        side: Rows and columns of the matrices; by default 2048 on a CPU, 8192 on a GPU.
        count: Number of float32 elements to copy; by default 256 MiB of them, on a GPU 1 GiB.
    """
    side = side or (8192 if settings.on_cuda else 2048)
    count = count or (2**28 if settings.on_cuda else 2**26)
    dtype = DTYPES[settings.precision]
    a, b = (torch.randn(side, side, device=settings.device).to(dtype) for _ in range(2))
    source = torch.randn(count, device=settings.device)
    target = torch.empty_like(source)
    product = torch.empty_like(a)
    tasks = [lambda: torch.mm(a, b, out=product), lambda: target.copy_(source)]
    multiply, copy = (min(times) for times in time_interleaved(tasks, 5, settings.on_cuda))
    return Ceilings(2 * side**3 / multiply / 1e9, 2 * source.nbytes / copy / 1e9)
