"""Reading checkpoints without running what is in them."""

from __future__ import annotations

import pickle
import re
import struct
import zipfile
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

# What torch's two formats raise on damaged bytes (tried on truncations and flipped bytes).
_BROKEN_FILE = (
    *(RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError),
    *(AssertionError, MemoryError, OverflowError, struct.error),
)
_STATISTICS = ('min', 'max', 'current', 'mean')


def safe_load(path: str | PathLike[str]) -> Any:
    """Read a checkpoint to the CPU, with tensors and plain values alone.

    The one place that reads checkpoints. It takes what torch's restricted unpickler takes, what
    mmengine's message hub adds to that (`HistoryBuffer`, numpy arrays and numbers), and
    `.safetensors`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is empty, truncated or no checkpoint, or would run code.
        ImportError: A `.safetensors` file, and safetensors is not installed.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'no checkpoint at {path}')
    _refuse_what_is_no_checkpoint(path)
    _refuse_what_expands(path)
    if path.suffix == '.safetensors':
        return _load_safetensors(path)
    try:
        with torch.serialization.safe_globals(_mmengine_globals()):
            return torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        # torch's message goes on to advise weights_only=False, which would run the code.
        raise ValueError(f'{path} is no safe checkpoint: {_reason(error)}') from None
    except _BROKEN_FILE as error:
        raise ValueError(
            f'{path} is truncated or no PyTorch checkpoint: {_reason(error)}'
        ) from None


def _mmengine_globals() -> list[Any]:
    """What mmengine's checkpoints hold beyond tensors (mmengine#1655), and nothing else.

    numpy 2 renamed `numpy.core`: files written by either are read by either.
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
    """Stands for `getattr`, with which a pickled `HistoryBuffer` names its own four methods."""
    if owner is not HistoryBuffer or name not in _STATISTICS:
        raise pickle.UnpicklingError(f'it asks for getattr({owner!r}, {name!r})')
    return getattr(HistoryBuffer, name)


def _refuse_what_is_no_checkpoint(path: Path) -> None:
    with path.open('rb') as file:
        start = file.read(64).lstrip()
    if not start:
        raise ValueError(f'{path} is empty ({path.stat().st_size} bytes)')
    if start.startswith(b'<'):
        raise ValueError(f'{path} is an HTML or XML page, not a checkpoint: download it again')
    if start.startswith(b'version https://git-lfs'):
        raise ValueError(f'{path} is a Git LFS pointer, not a checkpoint: run `git lfs pull`')


def _refuse_what_expands(path: Path) -> None:
    """torch.save compresses nothing: records that claim more than the file has would fill memory.

    Damaged archives are left to torch, which says what is wrong with them.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            claimed = sum(record.file_size for record in archive.infolist())
    except (zipfile.BadZipFile, *_BROKEN_FILE):
        return
    size = path.stat().st_size
    if claimed > size:
        raise ValueError(
            f'{path} is no safe checkpoint: its records expand to {claimed} bytes, '
            f'the file has {size}'
        )


def _load_safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError:
        raise ImportError(f'{path} needs `pip install safetensors`') from None
    try:
        return load_file(path)
    except (SafetensorError, *_BROKEN_FILE) as error:
        raise ValueError(f'{path} is truncated or no safetensors file: {error}') from None


def _reason(error: Exception) -> str:
    """The fact in an error's message, without the advice around it."""
    text = str(error)
    refused = re.search(r'(?:Unsupported global: |unsupported )GLOBAL ([\w.]+)', text)
    if refused:
        return f'it asks for {refused[1]}, which could run code'
    facts = [line for line in text.splitlines() if line.strip()]
    told = [line for line in facts if line.startswith(('Unsupported', 'Can only', 'it asks'))]
    line = (told or facts or [''])[0].split('. In PyTorch')[0].strip()
    return line if told else f'{type(error).__name__}: {line}'
