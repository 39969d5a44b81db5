"""The formats of exported files: which module makes each, and how its files are written.

A file is written beside its place and renamed, so that it is complete or absent.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from effnet_dense.exporting.maker import Maker
from effnet_dense.runtimes.metadata import Metadata
from effnet_dense.utils.output_folders import check_file

PARTIAL = '.partial'

OUT = {
    'onnx': 'model.onnx',
    'openvino': 'model_openvino',
    'litert': 'model.tflite',
    'executorch': 'model.pte',
    'coreml': 'model.mlpackage',
    'torch': 'model.pt2',
}
"""Format → the name that a file or folder has by default. `exporting/NAME_format.py` makes it."""
ANY_SIZE = ('onnx', 'openvino')
"""Formats of files that take images of every size."""


def maker(form: str) -> Maker:
    """Return the module that makes files of a format.

    Raises:
        ImportError: What it needs is not installed.
        ValueError: There is no such format.
    """
    if form not in OUT:
        raise ValueError(f'expected format to be one of {", ".join(OUT)}, got {form!r}')
    try:
        return cast(Maker, import_module(f'effnet_dense.exporting.{form}_format'))
    except ImportError as error:
        raise ImportError(
            f"exporting to {form} needs {error.name}: pip install 'effnet_dense[{form}]'"
        ) from error


def any_size_trace(form: str) -> Callable[..., Any]:
    """Return `Maker.trace` with a further argument, `multiple`; see `exporting.any_size`.

    Raises:
        ValueError: Files of this format take one size.
    """
    if form not in ANY_SIZE:
        raise ValueError(
            f'{form} files take one size: expected multiple with format {" or ".join(ANY_SIZE)}'
        )
    from effnet_dense.exporting import onnx_format

    return onnx_format.trace


def check_out(path: Path, form: str, precision: str = 'fp32') -> None:
    """Check where a file shall be written.

    Raises:
        FileExistsError: There is something already.
        OSError: Nothing can be written there.
        ImportError: What the format or the precision needs is not installed.
        ValueError: There is no such format, or a file of it cannot have this name.
    """
    maker(form).check(path, precision)
    if path.exists():
        raise FileExistsError(f'{path} exists: choose another file')
    check_file(path)


def write(model: Any, metadata: Metadata, path: Path, form: str) -> int:
    """Write a model with its metadata.

    Args:
        model: In the format's own type; ONNX models also for OpenVINO.
        metadata: The file's.
        path: A new file or folder; see `check_out`.
        form: One of `OUT`.

    Returns:
        Its size in bytes.

    Raises:
        OSError: It cannot be written, for example because the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _beside(path) as partial:
        try:
            maker(form).save(model, metadata, partial)
        except (OSError, RuntimeError) as error:  # OpenVINO raises RuntimeError
            reason = getattr(error, 'strerror', None) or error
            raise OSError(f'cannot write {path}: {reason}') from error
    files = path.rglob('*') if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yield a name beside a path, which is renamed to it at the end."""
    partial = path.with_name(f'{path.name}{PARTIAL}-{os.getpid()}')
    try:
        yield partial
        os.replace(partial, path)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)
