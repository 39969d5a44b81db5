"""Convert a checkpoint for another runtime, and keep the file for the next time.

The file lies beside the checkpoint, else in the user's cache folder, and is named by a hash of
all that it was made from: another checkpoint, config or version has another file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

import effnet_dense
from effnet_dense.runtimes.metadata import SCHEMA
from effnet_dense.runtimes.session import Session, open_session
from effnet_dense.utils.private_cache import cache_folder

FORMATS = {'onnxruntime': 'onnx', 'openvino': 'openvino'}
"""Runtime → the format of its files."""
ENDS = {'onnx': '.onnx', 'openvino': '_openvino'}
FOLDER = 'exported'
"""Of files whose checkpoint lies where nothing can be written, in the cache folder."""


def check_runtime(runtime: str) -> None:
    """Check a runtime's name.

    Raises:
        ValueError: There is none of this name.
    """
    if runtime not in FORMATS:
        raise ValueError(f'expected runtime to be one of {", ".join(FORMATS)}, got {runtime!r:.60}')


def converted(config: Config, checkpoint: Path, runtime: str) -> Session:
    """Open the file of a checkpoint for a runtime; export it first, if there is none.

    Args:
        config: The model's.
        checkpoint: A local file.
        runtime: One of `FORMATS`.

    Raises:
        ImportError: The runtime, or what the export needs, is not installed.
        ValueError: The model cannot be exported.
    """
    check_runtime(runtime)
    form = FORMATS[runtime]
    name = f'{checkpoint.stem}.{digest(config, checkpoint, form)}{ENDS[form]}'
    path = _folder(checkpoint) / name
    if path.exists():
        try:
            return open_session(path)
        except (ValueError, FileNotFoundError) as error:
            print_log(f'{error}: it is converted again', logger='current')
            _remove(path)
    print_log(f'converting {checkpoint} for {runtime}, once: {path}', logger='current')
    partial = path.with_name(f'.part-{os.getpid()}-{name}')
    try:
        effnet_dense.export(config, str(checkpoint), partial, format=form)
        _move(partial, path)
    finally:
        _remove(partial)
    return open_session(path)


def digest(config: Config, checkpoint: Path, form: str) -> str:
    """Return a hash of all that decides what is in a file."""
    text = json.dumps(config.to_dict(), sort_keys=True, default=repr)
    found = hashlib.sha256(f'{effnet_dense.__version__} {SCHEMA} {form} {text}'.encode())
    with checkpoint.open('rb') as file:
        found.update(hashlib.file_digest(file, 'sha256').digest())
    return found.hexdigest()[:16]


def _folder(checkpoint: Path) -> Path:
    """Return the checkpoint's folder, or the cache folder's where that is read-only."""
    if os.access(checkpoint.parent, os.W_OK | os.X_OK):
        return checkpoint.parent
    folder = cache_folder().parent / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _move(partial: Path, path: Path) -> None:
    """Rename a file or folder; another process may have been faster."""
    try:
        os.replace(partial, path)
    except OSError:
        if not path.exists():
            raise


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
