"""Trace a model by torch.export, for the formats that are made from its programs.

Shapes: N images of H × W pixels.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import ExportedProgram

from effnet_dense.exporting.dense import POSTS as POSTS
from effnet_dense.exporting.dense import dense

ANY_BATCH = False
KEPT = 'val'
"""What graphs need of a node's `meta`; the rest are places in source files of this machine."""


class ProgramParts(NamedTuple):
    """A traced model; see `maker.Parts`.

    Attributes:
        network: All that the model does.
        outputs: Names of the outputs.
        details: Further fields of the metadata.
    """

    network: ExportedProgram
    outputs: Sequence[str]
    details: dict[str, Any]

    @property
    def tail(self) -> None:
        """Nothing: there is no second part."""

    def joined(self) -> ExportedProgram:
        """Return the model."""
        return self.network


def trace(model: Any, task: str, images: Tensor, post: str, any_batch: bool) -> ProgramParts:
    """Trace a model for one size and number of images; see `maker.Maker`."""
    module, outputs, details = dense(model, task, images, post)
    return ProgramParts(traced(module, images), outputs, details)


def traced(module: nn.Module, images: Tensor) -> ExportedProgram:
    """Trace a module.

    Args:
        module: In eval mode; its weights become contiguous, as CoreML needs them.
        images: Examples, (N, C, H, W).

    Raises:
        ValueError: It cannot be traced; the message has torch.export's reason.
    """
    for value in [*module.parameters(), *module.buffers()]:
        value.data = value.data.contiguous()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter('ignore')
            program = torch.export.export(module, (images.contiguous(),))
    except Exception as error:  # whatever a traced module raises
        name = type(module).__name__
        raise ValueError(f'{name} cannot be exported: {first_line(error)}') from error
    for node in program.graph.nodes:
        for name in [name for name in node.meta if name != KEPT]:
            del node.meta[name]
    return program


def runner(network: ExportedProgram) -> Callable[[NDArray[Any]], list[NDArray[Any]]]:
    """Return a function that computes a program's outputs by PyTorch; see `maker.Maker`."""
    module = network.module()

    def run(images: NDArray[np.float32]) -> list[NDArray[Any]]:
        with torch.no_grad():
            found = module(torch.from_numpy(images))
        return [value.numpy() for value in ([found] if isinstance(found, Tensor) else found)]

    return run


def stored(parts: ProgramParts, precision: str) -> ProgramParts:
    """Refuse: see `check_precision`, by which formats say that they store no other weights."""
    raise ValueError(f'programs of torch.export have no precision {precision}')


def quantiser(parts: ProgramParts, images: Any) -> Any:
    """Refuse; see `stored`."""
    return stored(parts, 'int8')


def check_name(path: Path, suffix: str) -> None:
    """Check a file's name.

    Raises:
        ValueError: It has another suffix.
    """
    if path.suffix != suffix:
        raise ValueError(f'expected out to be a name with {suffix}, got {str(path)!r}')


def check_precision(form: str, precision: str, reasons: dict[str, str]) -> None:
    """Check that a format has a precision.

    Args:
        form: The format's name.
        precision: Of the file.
        reasons: Precision → why the format does not have it.

    Raises:
        ValueError: It does not.
    """
    if precision in reasons:
        raise ValueError(f'{form} has no precision {precision}: {reasons[precision]}')


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, or its type."""
    lines = str(error).strip().splitlines()
    return f'{lines[0]:.300}' if lines else type(error).__name__
