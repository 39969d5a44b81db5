"""ExecuTorch's .pte files, executed by XNNPACK on CPUs; see `maker.Maker`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from torch.export import ExportedProgram

from effnet_dense.exporting.program import ANY_BATCH as ANY_BATCH
from effnet_dense.exporting.program import POSTS as POSTS
from effnet_dense.exporting.program import check_name, check_precision, first_line
from effnet_dense.exporting.program import quantiser as quantiser
from effnet_dense.exporting.program import runner as runner
from effnet_dense.exporting.program import stored as stored
from effnet_dense.exporting.program import trace as trace
from effnet_dense.runtimes.executorch_session import SUFFIX, import_executorch
from effnet_dense.runtimes.metadata import KEY, Metadata

TYPES = 'XNNPACK computes in the type in which weights are stored, and float16 only on some CPUs'
REASONS = {
    'fp16': TYPES,
    'int8-weights': TYPES,
    'int8': "PyTorch's quantiser for it is not used here (try onnx, openvino or litert)",
}


def check(path: Path, precision: str) -> None:
    check_name(path, SUFFIX)
    check_precision('executorch', precision, REASONS)
    import_executorch()


def save(model: ExportedProgram, metadata: Metadata, path: Path) -> None:
    """Write a program; its metadata is what the method `KEY` returns, a text as uint8.

    Raises:
        ValueError: ExecuTorch cannot convert the program.
    """
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    text = np.frombuffer(metadata.to_json().encode(), np.uint8).copy()
    try:
        edge: Any = to_edge_transform_and_lower(
            model,
            partitioner=[XnnpackPartitioner()],
            constant_methods={KEY: torch.from_numpy(text)},
        )
        content = edge.to_executorch().buffer
    except Exception as error:  # whatever its passes raise
        raise ValueError(f'ExecuTorch cannot convert this model: {first_line(error)}') from error
    print_log(f'ExecuTorch: {delegated(edge)}', logger='current')
    path.write_bytes(content)


def delegated(edge: Any) -> str:
    """Say how many operators XNNPACK executes; ExecuTorch's portable kernels have the others."""
    from executorch.devtools.backend_debug import get_delegation_info

    found = get_delegation_info(edge.exported_program().graph_module)
    own, others = found.num_delegated_nodes, found.num_non_delegated_nodes
    return f'XNNPACK executes {own} of {own + others} operators'
