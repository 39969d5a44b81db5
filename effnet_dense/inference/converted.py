"""Convert a checkpoint for another runtime, and keep the file for the next time.

The file lies beside the checkpoint, else in the user's cache folder, and is named by a hash of
all that it was made from: another checkpoint, config or version has another file.

Where the network allows it, images are padded to the same multiple as by PyTorch, so that the
results are equal. `auto` takes such a file if there is one; it makes none.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

import effnet_dense
from effnet_dense.runtimes.metadata import SCHEMA, Metadata
from effnet_dense.runtimes.session import Session, open_session
from effnet_dense.utils.private_cache import cache_folder

FORMATS = {'onnxruntime': 'onnx', 'openvino': 'openvino'}
"""Runtime → the format of its files."""
AUTO, PYTORCH = 'auto', 'pytorch'
ENDS = {'onnx': '.onnx', 'openvino': '_openvino'}
LARGEST = 128
"""Padding above which every image has one size: EfficientDets pad all to a square."""
FOLDER = 'exported'
"""Of files whose checkpoint lies where nothing can be written, in the cache folder."""


def check_runtime(runtime: str) -> None:
    """Check a runtime's name.

    Raises:
        ValueError: There is none of this name.
    """
    names = (AUTO, PYTORCH, *FORMATS)
    if runtime not in names:
        raise ValueError(f'expected runtime to be one of {", ".join(names)}, got {runtime!r:.60}')


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
    form = FORMATS[runtime]
    path = _path(config, checkpoint, form)
    name = path.name
    if path.exists():
        try:
            return open_session(path)
        except (ValueError, FileNotFoundError) as error:
            print_log(f'{error}: it is converted again', logger='current')
            _remove(path)
    print_log(f'converting {checkpoint} for {runtime}, once: {path}', logger='current')
    partial = path.with_name(f'.part-{os.getpid()}-{threading.get_ident()}-{name}')
    try:
        _export(config, checkpoint, partial, form)
        _move(partial, path)
    finally:
        _remove(partial)
    return open_session(path)


def was_converted(checkpoint: str | os.PathLike[str]) -> bool:
    """Whether there is a file that was made from a local checkpoint, with whatever config."""
    path = Path(checkpoint)
    return os.path.isfile(path) and any(_files(path, end) for end in ENDS.values())


def ready(config: Config, checkpoint: Path) -> Session | None:
    """Open a file that was converted before and pads images as PyTorch does, if there is one.

    Args:
        config: The model's.
        checkpoint: A local file.
    """
    for runtime, form in FORMATS.items():
        if not _files(checkpoint, ENDS[form]):
            continue
        path = _path(config, checkpoint, form)
        try:
            session = open_session(path)
        except (FileNotFoundError, ImportError, ValueError):
            continue
        if pads_alike(config, session.metadata):
            print_log(
                f'{checkpoint} is run by {runtime}, faster and with equal results: {path} was '
                f"converted before (runtime='{PYTORCH}' takes PyTorch)",
                logger='current',
            )
            return session
    return None


def pads_alike(config: Config, metadata: Metadata) -> bool:
    """Whether a file pads images as a config's preprocessor does, so that results are equal.

    Instance, panoptic and two-stage models are not among them, whose export is experimental.
    """
    if metadata.task not in ('detection', 'semantic') or 'rcnn' in metadata.nms:
        return False
    resize = metadata.resize or {}
    stretched = 'type' not in resize and resize.get('keep_ratio') is False
    if stretched and metadata.size == resize['scale'][::-1]:
        return True  # every image is stretched to the file's size, and none is padded
    divisor = padding_multiple(config)
    if divisor is None:
        return False
    if metadata.size is None:
        return metadata.multiple == divisor
    return all(side == divisor for side in metadata.size)


def padding_multiple(config: Config) -> int | None:
    """Return to multiples of what a config's preprocessor pads images when it predicts, if any."""
    preprocessor: Any = config.model.get('data_preprocessor') or {}
    test = preprocessor.get('test_cfg') or {}
    divisor = preprocessor.get('pad_size_divisor') or test.get('size_divisor')
    return int(divisor) if divisor and divisor > 1 else None


def _export(config: Config, checkpoint: Path, out: Path, form: str) -> None:
    """Export for every size with PyTorch's padding; where that cannot be, for one size."""
    multiple = padding_multiple(config)
    if multiple is not None and multiple <= LARGEST:
        try:
            effnet_dense.export(config, str(checkpoint), out, format=form, multiple=multiple)
        except ValueError as error:
            print_log(f'{error}: images are padded to one size instead', logger='current')
        else:
            return
    effnet_dense.export(config, str(checkpoint), out, format=form)


def _path(config: Config, checkpoint: Path, form: str) -> Path:
    name = f'{checkpoint.stem}.{digest(config, checkpoint, form)}{ENDS[form]}'
    return _folder(checkpoint) / name


def _files(checkpoint: Path, end: str) -> list[Path]:
    return list(_folder(checkpoint).glob(f'{glob.escape(checkpoint.stem)}.*{end}'))


def digest(config: Config, checkpoint: Path, form: str) -> str:
    """Return a hash of all that decides what is in a file, wherever the work folder lies."""
    settings = {key: value for key, value in config.to_dict().items() if key != 'work_dir'}
    text = json.dumps(settings, sort_keys=True, default=repr)
    version = f'{effnet_dense.__version__} {SCHEMA} {form}'
    found = hashlib.sha256(f'{version} {LARGEST} {text}'.encode())
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
