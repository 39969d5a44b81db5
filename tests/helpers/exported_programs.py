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


def needs_pt2() -> None:
    """Skip tests where PyTorch writes .pt2 files of another layout."""
    if not hasattr(torch.compiler, 'is_exporting'):
        pytest.skip(f'.pt2 files need a later PyTorch, got {torch.__version__}')
