"""Save and load the data of a page: JSON, PNG and arrays without pickles in report/data.

Every evaluation replaces the data of the previous one.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import cv2
import numpy as np

from effnet_dense.utils.atomic import atomic_write

FOLDER = 'report'
Arrays = TypeVar('Arrays')


def report_folder(work_dir: str | Path) -> Path:
    """Return the folder of a work folder's page."""
    return Path(work_dir, FOLDER)


def start_data(folder: Path) -> Path:
    """Make an empty folder for data; charts and images of an earlier evaluation are removed."""
    shutil.rmtree(folder, ignore_errors=True)
    data = folder / 'data'
    data.mkdir(parents=True)
    return data


def save_arrays(path: Path, arrays: Any) -> None:
    """Write a dataclass of arrays, compressed."""
    fields = {field.name: getattr(arrays, field.name) for field in dataclasses.fields(arrays)}
    np.savez_compressed(path, **fields)


def load_arrays(path: Path, kind: type[Arrays]) -> Arrays | None:
    """Read a dataclass of arrays; None if there is no such file.

    Raises:
        ValueError: The file is damaged, or was written by another version.
    """
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            return kind(**{key: stored[key] for key in stored.files})
    except (TypeError, ValueError, OSError, KeyError, BadZipFile) as error:
        raise ValueError(f'{path} does not hold the arrays of {kind.__name__}: {error}') from error


def save_json(path: Path, content: Any) -> None:
    """Write plain values as JSON."""
    atomic_write(path, json.dumps(content, indent=1, ensure_ascii=False))


def load_json(path: Path) -> Any:
    """Read JSON; None if there is no such file.

    Raises:
        ValueError: The file is not JSON.
    """
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{path} is not JSON: {error}') from error


def load_map(path: Path) -> np.ndarray | None:
    """Read a label map (H, W); None if there is no such file."""
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None
