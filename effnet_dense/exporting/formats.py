"""The formats of exported files: what a file may be called, and how it is written.

A file is written beside its place and renamed, so that it is complete or absent.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx

from effnet_dense.exporting.openvino_file import save_openvino, to_openvino
from effnet_dense.runtimes import onnx_session, openvino_session
from effnet_dense.runtimes.metadata import KEY, Metadata

OUT = {'onnx': 'model.onnx', 'openvino': 'model_openvino'}
"""Format → the name that a file or folder has by default."""
PARTIAL = '.partial'


def check_out(path: Path, form: str) -> None:
    """Check where a file shall be written.

    Raises:
        FileExistsError: There is something already.
        ImportError: The format's runtime is not installed.
        ValueError: There is no such format, or a file of it cannot have this name.
    """
    if form not in OUT:
        raise ValueError(f'expected format to be one of {", ".join(OUT)}, got {form!r}')
    suffix = onnx_session.SUFFIX
    if form == 'onnx' and path.suffix != suffix:
        raise ValueError(f'expected out to be a name with {suffix}, got {str(path)!r}')
    if form == 'openvino':
        if path.suffix in (suffix, openvino_session.SUFFIX, openvino_session.WEIGHTS):
            raise ValueError(
                f'expected out to be the name of a folder, such as {OUT[form]}, got {str(path)!r}'
            )
        openvino_session.import_openvino()
    if path.exists():
        raise FileExistsError(f'{path} exists: choose another file')


def write(model: Any, metadata: Metadata, path: Path, form: str) -> int:
    """Write a model with its metadata.

    Args:
        model: An ONNX model; or OpenVINO's own, for that format.
        metadata: The file's.
        path: A new file, or folder for OpenVINO; see `check_out`.
        form: One of `OUT`.

    Returns:
        Its size in bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _beside(path) as partial:
        if form == 'onnx':
            others = [entry for entry in model.metadata_props if entry.key != KEY]
            del model.metadata_props[:]
            model.metadata_props.extend(others)
            entry = model.metadata_props.add()
            entry.key, entry.value = KEY, metadata.to_json()
            onnx.checker.check_model(model)
            onnx.save(model, str(partial))
        else:
            partial.mkdir()
            own = to_openvino(model) if isinstance(model, onnx.ModelProto) else model
            save_openvino(own, metadata, partial)
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


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
