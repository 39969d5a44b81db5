"""What the machine can do at most: the speed of a matrix product and of a copy."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from effnet_dense.analysis.clock import interleaved
from effnet_dense.analysis.settings import DTYPES, Settings


@dataclass(frozen=True)
class Ceilings:
    """Measured in the run itself: a busy machine is slower in all of it."""

    gflops: float  # 10⁹ multiplications and additions a second, each counted
    copy_gb: float  # 10⁹ bytes a second, read and written


def ceilings(settings: Settings, side: int | None = None, count: int | None = None) -> Ceilings:
    """Measure both, best of five.

    Args:
        side: Of the square matrices; by default 2048 on a CPU, 8192 on a GPU.
        count: Of the copied float32 numbers; by default 256 MiB of them, on a GPU 1 GiB.
    """
    side = side or (8192 if settings.on_cuda else 2048)
    count = count or (2**28 if settings.on_cuda else 2**26)
    dtype = DTYPES[settings.precision]
    a, b = (torch.ones(side, side, dtype=dtype, device=settings.device) for _ in range(2))
    source = torch.ones(count, device=settings.device)
    target = torch.empty_like(source)
    product = torch.empty_like(a)
    tasks = [lambda: torch.mm(a, b, out=product), lambda: target.copy_(source)]
    multiply, copy = (min(times) for times in interleaved(tasks, 5, settings.on_cuda))
    return Ceilings(2 * side**3 / multiply / 1e9, 2 * source.nbytes / copy / 1e9)
