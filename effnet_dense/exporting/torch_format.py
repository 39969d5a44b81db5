"""torch.export's .pt2 files, written without pickles; see `maker.Maker`."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from torch.export import ExportedProgram

from effnet_dense.exporting.program import ANY_BATCH as ANY_BATCH
from effnet_dense.exporting.program import POSTS as POSTS
from effnet_dense.exporting.program import check_name, check_precision
from effnet_dense.exporting.program import quantiser as quantiser
from effnet_dense.exporting.program import runner as runner
from effnet_dense.exporting.program import stored as stored
from effnet_dense.exporting.program import trace as trace
from effnet_dense.runtimes.metadata import KEY, Metadata
from effnet_dense.runtimes.pt2_archive import checked_metadata
from effnet_dense.runtimes.torch_session import SUFFIX

REASON = 'PyTorch computes in the type in which weights are stored (try onnx, openvino or litert)'
REASONS = dict.fromkeys(('fp16', 'int8', 'int8-weights'), REASON)


def check(path: Path, precision: str) -> None:
    check_name(path, SUFFIX)
    check_precision('torch', precision, REASONS)


def save(model: ExportedProgram, metadata: Metadata, path: Path) -> None:
    """Write a program with its metadata among the `extra_files`.

    Raises:
        ImportError: This PyTorch writes files of another layout.
        ValueError: The program has something that `Predictor` would refuse to load.
    """
    model.example_inputs = None  # they would be written as a pickle
    buffer = io.BytesIO()
    torch.export.save(model, buffer, extra_files={KEY: metadata.to_json()})
    content = buffer.getvalue()
    try:
        found = checked_metadata(content)
    except ValueError as error:
        raise ValueError(f'{metadata.model} cannot be exported to .pt2: {error}') from error
    if found is None:
        raise ImportError(f'.pt2 files need a later PyTorch, got {torch.__version__}')
    path.write_bytes(content)
