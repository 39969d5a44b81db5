"""Exported files without a network whose runtimes need torch.export's programs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from effnet_dense.runtimes.metadata import Metadata
from tests.helpers.exported_files import METADATA
from tests.helpers.litert_files import BOXES, DENSE, OFFSETS


class Scaled(nn.Module):
    """Returns its images, by way of a weight of 1."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor) -> Tensor:
        return images * self.one


def identity_program(form: str, path: Path, **changes: Any) -> Path:
    """Write a file whose logits are its normalised images (N, 3, 32, 64).

    Args:
        form: 'torch', 'executorch' or 'coreml'.
        path: Of the file.
        changes: Of its metadata.
    """
    from effnet_dense.exporting.formats import write
    from effnet_dense.exporting.program import traced

    metadata: Metadata = replace(METADATA, **{'batch': 1, **changes})
    program = traced(Scaled().eval(), torch.zeros(metadata.batch or 1, 3, 32, 64))
    write(program, metadata, path, form)
    return path


class ThreePriors(nn.Module):
    """Returns `litert_files.BOXES`, and `OFFSETS` plus the mean of each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.boxes, self.offsets = torch.from_numpy(BOXES), torch.from_numpy(OFFSETS)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean = images.mean((2, 3))[:, None]
        return self.boxes[None] + 0 * mean[..., :1], self.offsets + mean


def three_priors_program(form: str, path: Path) -> Path:
    """Write a file of `litert_files.DENSE`; see `identity_program`."""
    from effnet_dense.exporting.formats import write
    from effnet_dense.exporting.program import traced

    program = traced(ThreePriors().eval(), torch.zeros(1, 3, 64, 64))
    write(program, replace(DENSE, layout='NCHW'), path, form)
    return path


def needs_pt2() -> None:
    """Skip tests where PyTorch writes .pt2 files of another layout."""
    if not hasattr(torch.compiler, 'is_exporting'):
        pytest.skip(f'.pt2 files need a later PyTorch, got {torch.__version__}')
