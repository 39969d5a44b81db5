"""CoreML's .mlpackage folders, for macOS 14, iOS 17 or later; see `maker.Maker`."""

from __future__ import annotations

import io
import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np
from torch.export import ExportedProgram

from effnet_dense.exporting.program import ANY_BATCH as ANY_BATCH
from effnet_dense.exporting.program import POSTS as POSTS
from effnet_dense.exporting.program import ProgramParts, check_name, check_precision, first_line
from effnet_dense.exporting.program import quantiser as quantiser
from effnet_dense.exporting.program import trace as trace
from effnet_dense.runtimes.coreml_session import SUFFIX, import_coremltools
from effnet_dense.runtimes.metadata import KEY, Metadata

WHOLE = ('label_map',)
"""Outputs of whole numbers."""
REASON = 'its accuracy can only be measured on macOS'
REASONS = dict.fromkeys(('int8', 'int8-weights'), REASON)


def check(path: Path, precision: str) -> None:
    check_name(path, SUFFIX)
    check_precision('coreml', precision, REASONS)
    import_coremltools()


def stored(parts: ProgramParts, precision: str) -> ProgramParts:
    """Return the parts: `save` rounds weights as the metadata says."""
    return parts


def runner(network: Any) -> None:
    """Return nothing: only macOS runs what is written."""


def save(model: ExportedProgram, metadata: Metadata, path: Path) -> None:
    """Write a program; its metadata is among the user-defined metadata.

    In precision 'fp16' maps (N, C, H, W) are computed in float16, and their weights stored so, but
    not boxes, whose coordinates it would round to 0.5 px.

    Raises:
        ValueError: coremltools cannot convert the program.
    """
    tools = import_coremltools()
    half = tools.transform.FP16ComputePrecision(op_selector=_of_maps)
    try:
        with _silent():
            converted = tools.convert(
                model.run_decompositions({}),
                outputs=[
                    tools.TensorType(name=name, dtype=np.int32 if name in WHOLE else np.float32)
                    for name in metadata.outputs
                ],
                minimum_deployment_target=tools.target.iOS17,
                compute_precision=half if metadata.precision == 'fp16' else tools.precision.FLOAT32,
                skip_model_load=True,
            )
    except Exception as error:  # whatever its frontend raises
        raise ValueError(f'coremltools cannot convert this model: {first_line(error)}') from error
    converted.user_defined_metadata[KEY] = metadata.to_json()
    with _suffixed(path) as package:
        converted.save(str(package))


def _of_maps(operation: Any) -> bool:
    return all(output.rank == 4 for output in operation.outputs)


@contextmanager
def _suffixed(path: Path) -> Iterator[Path]:
    """Yield a name that coremltools accepts, and rename it."""
    package = path.with_name(f'{path.name}{SUFFIX}')
    try:
        yield package
        package.rename(path)
    finally:
        if package.is_dir():
            shutil.rmtree(package)


@contextmanager
def _silent() -> Iterator[None]:
    """Hide coremltools' progress bars, and its warnings of PyTorch's version."""
    logger = logging.getLogger('coremltools')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter('ignore')
            yield
    finally:
        logger.setLevel(level)
