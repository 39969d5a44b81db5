"""Read checkpoints without executing code in them."""

from __future__ import annotations

import os
import pickle
import re
import struct
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

# Raised by torch's two formats on damaged bytes (found by truncating files and flipping bytes).
_BROKEN_FILE = (
    *(RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError),
    *(AssertionError, MemoryError, OverflowError, struct.error),
)
READ = 1 << 20
"""Bytes that are read at once."""

OTHER_KINDS = {
    b'\x89HDF': 'an HDF5 file, such as of Keras or MATLAB',
    b'GGUF': 'a GGUF file',
    b'\x93NUMPY': 'an array of NumPy',
    b'\x80\x04': 'a pickle of protocol 4, which could run code',
    b'\x80\x05': 'a pickle of protocol 5, which could run code',
    b'\x1f\x8b': 'compressed by gzip',
    b'BZh': 'compressed by bzip2',
    b'\xfd7zXZ': 'compressed by xz',
    b'7z\xbc\xaf': 'a 7z archive',
    b'%PDF': 'a PDF file',
    b'\x89PNG': 'an image',
    b'\xff\xd8\xff': 'an image',
}
"""First bytes of files that are taken for checkpoints → what they are."""
_STATISTICS = ('min', 'max', 'current', 'mean')


def safe_load(path: str | PathLike[str], map_location: Any = 'cpu') -> Any:
    """Read a checkpoint of tensors and plain values.

    The package reads every checkpoint with it. It accepts what torch's restricted unpickler
    accepts, mmengine's `HistoryBuffer`, numpy arrays and numbers, and `.safetensors` files.

    Args:
        path: The file.
        map_location: Where its tensors go, as in `torch.load`; `.safetensors` go to the CPU.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is empty, truncated or not a checkpoint, or would run code.
        ImportError: For a `.safetensors` file if safetensors is not installed.
    """
    path = Path(os.path.expanduser(path))
    if not path.is_file():
        raise FileNotFoundError(f'no checkpoint at {path}')
    _check_is_checkpoint(path)
    _check_records(path)
    if path.suffix == '.safetensors':
        return _load_safetensors(path)
    with mmengine_types(str(path)):
        try:
            return torch.load(path, map_location=map_location, weights_only=True)
        except _BROKEN_FILE as error:
            raise ValueError(
                f'{path} is truncated or not a PyTorch checkpoint: {_reason(error)}'
            ) from None


@contextmanager
def mmengine_types(name: str) -> Iterator[None]:
    """Let `torch.load(…, weights_only=True)` read mmengine's training state.

    Args:
        name: Of the checkpoint, for messages.

    Raises:
        ValueError: The block's checkpoint would run code.
    """
    try:
        with torch.serialization.safe_globals(_mmengine_globals()):
            yield
    except pickle.UnpicklingError as error:
        # torch's message also advises weights_only=False, which would run the code.
        raise ValueError(f'{name} is not a safe checkpoint: {_reason(error)}') from None


def _mmengine_globals() -> list[Any]:
    """Return the non-tensor types in mmengine's checkpoints (mmengine#1655).

    numpy 2 renamed `numpy.core`; either version reads the other's files.
    """
    functions: list[Any] = [np.empty(0).__reduce__()[0], np.float64(0).__reduce__()[0]]
    named = [
        (function, f'{module}.multiarray.{function.__name__}')
        for function in functions
        for module in ('numpy._core', 'numpy.core')
    ]
    dtypes = {type(np.dtype(code)) for code in '?bBhHiIlLqQefd'}
    return [
        *(HistoryBuffer, np.ndarray, np.dtype, *named, *dtypes),
        (_history_statistic, 'builtins.getattr'),
    ]


def _history_statistic(owner: Any, name: str) -> Any:
    """Replace `getattr`, by which a pickled `HistoryBuffer` refers to its own four methods."""
    if owner is not HistoryBuffer or name not in _STATISTICS:
        raise pickle.UnpicklingError(f'it requests getattr({owner!r}, {name!r})')
    return getattr(HistoryBuffer, name)


def _check_is_checkpoint(path: Path) -> None:
    with path.open('rb') as file:
        start = file.read(64).lstrip()
    if not start:
        raise ValueError(f'{path} is empty ({path.stat().st_size} bytes)')
    if start.startswith(b'<'):
        raise ValueError(f'{path} is an HTML or XML page, not a checkpoint: download it again')
    if path.suffix == '.onnx':
        raise ValueError(f'{path} is an ONNX file, not a PyTorch checkpoint (torch.save)')
    for magic, kind in OTHER_KINDS.items():
        # A file of safetensors begins with a length, whose bytes may be any.
        if start.startswith(magic) and path.suffix != '.safetensors':
            raise ValueError(f'{path} is {kind}, not a PyTorch checkpoint (torch.save)')
    if start.startswith(b'version https://git-lfs'):
        raise ValueError(f'{path} is a Git LFS pointer, not a checkpoint: run `git lfs pull`')


def _check_records(path: Path) -> None:
    """Check the ZIP records of torch.save, which torch.load reads without comparing checksums.

    Archives that are damaged otherwise are left to torch, whose error is specific.

    Raises:
        ValueError: Records are larger than the file, which would fill memory (torch.save never
            compresses), or changed after they were written.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
            claimed = sum(record.file_size for record in records)
            size = path.stat().st_size
            changed = [] if claimed > size else _changed_records(archive, records)
    except (zipfile.BadZipFile, *_BROKEN_FILE):
        return
    if claimed > size:
        raise ValueError(
            f'{path} is not a safe checkpoint: its records expand to {claimed} bytes, '
            f'the file has {size}'
        )
    if changed:
        raise ValueError(
            f'{path} is damaged: {len(changed)} of its {len(records)} records do not have the '
            f'checksum with which they were written, the first is {changed[0]}'
        )


def _changed_records(archive: zipfile.ZipFile, records: Sequence[zipfile.ZipInfo]) -> list[str]:
    """List records whose CRC-32 differs; none if no tensor's agrees.

    `torch.serialization.set_crc32_options(False)` makes torch.save write none.
    """
    wrong = [record.filename for record in records if not _agrees(archive, record)]
    tensors = [record.filename for record in records if '/data/' in record.filename]
    without = bool(tensors) and set(tensors) <= set(wrong) and len(tensors) > 1
    return [] if without else wrong


def _agrees(archive: zipfile.ZipFile, record: zipfile.ZipInfo) -> bool:
    try:
        with archive.open(record) as file:
            while file.read(READ):
                pass
    except zipfile.BadZipFile:
        return False
    return True


def _load_safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError:
        raise ImportError(f'{path} needs `pip install safetensors`') from None
    try:
        return load_file(path)
    except (SafetensorError, *_BROKEN_FILE) as error:
        raise ValueError(f'{path} is truncated or not a safetensors file: {error}') from None


def _reason(error: Exception) -> str:
    """Extract the fact from an error's message, without the advice around it."""
    text = str(error)
    refused = re.search(r'(?:Unsupported global: |unsupported )GLOBAL ([\w.]+)', text)
    if refused:
        return f'it requests {refused[1]}, which could run code'
    # PyTorch 2.6 writes the fact behind the advice, later versions on a line of its own.
    text = text.replace('WeightsUnpickler error: ', '\n')
    lines = [line for line in text.splitlines() if line.strip()]
    facts = [line for line in lines if line.startswith(('Unsupported', 'Can only', 'it requests'))]
    line = (facts or lines or [''])[0].split('. In PyTorch')[0].strip()
    return line if facts else f'{type(error).__name__}: {line}'
