"""What all parts of the GPU runbook share: device, sizes, data."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch

from effnet_dense.analysis.settings import Settings

T = TypeVar('T')


class Unmet(Exception):
    """A part lacks what it needs; the message says what, in one line."""


@dataclass(frozen=True)
class Conditions:
    """The conditions of a run.

    Args:
        out: The folder of the results.
        dry: Run on the CPU with tiny sizes, to see that everything works.
        data: A folder as `effnet-dense train --data` takes it; None for the demo data.
        seconds: Each part's limit.
        started: A name for what this run leaves, so that it does not meet that of another run.
    """

    out: Path
    dry: bool = False
    data: Path | None = None
    seconds: float = 200
    started: str = field(default_factory=lambda: time.strftime('%Y%m%d_%H%M%S'))

    @property
    def device(self) -> str:
        """The device on which everything runs."""
        return 'cpu' if self.dry else 'cuda'

    def pick(self, full: T, tiny: T) -> T:
        """Return the value for a GPU, or the one for the dry run."""
        return tiny if self.dry else full

    def require_gpu(self) -> None:
        """Raise Unmet unless there is a GPU, or this is a dry run.

        Raises:
            Unmet: PyTorch finds no GPU.
        """
        if not self.dry and not torch.cuda.is_available():
            raise Unmet(f'PyTorch {torch.__version__} finds no CUDA device')

    def settings(self, size: int, batch: int, precision: str = 'bf16') -> Settings:
        """Return settings on this device; a dry run's batches are small."""
        return Settings(size, self.pick(batch, 2), 3, device=self.device, precision=precision)
