"""Save and load the data of a page: JSON, PNG and arrays without pickles in report/data.

Every evaluation replaces the data of the previous one.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import cv2
import numpy as np

from effnet_dense.utils.json_text import json_text
from effnet_dense.utils.outputs import (
    check_free,
    claim_folder,
    new_output,
    remove_ours,
    write_output,
)

FOLDER = 'report'
OBJECTS = 'objects.json'
"""Counts of objects, in the folder of data."""
FILES = (
    'index.html',
    *(f'{name}.png' for name in ('losses', 'metrics', 'rates', 'iou', 'pq')),
    *(f'{name}.png' for name in ('confusion', 'scores', 'sizes')),
    *('precision_recall.png', 'mask_precision_recall.png'),
    *(f'confidence_{name}.png' for name in ('f1', 'precision', 'recall')),
    *('comparison.html', 'compared_*.png'),
    *('images/best_[0-9]*.jpg', 'images/worst_[0-9]*.jpg'),
    *(f'data/{name}.json' for name in ('run', 'masks', 'panoptic')),
    *('data/detections.npz', 'data/segments.npz'),
    'data/maps/[0-9]*_*.png',
)
"""Names of a report's files, as patterns."""

Arrays = TypeVar('Arrays')


def report_folder(work_dir: str | Path) -> Path:
    """Return the folder of a work folder's page."""
    return Path(work_dir, FOLDER)


def start_data(folder: Path) -> Path:
    """Remove charts, images and data of an earlier evaluation; other files stay.

    The page, which holds all that it shows, stays until the new one is complete, and so do the
    counts of objects: a test counts only one of the parts.

    Returns:
        The folder for data.

    Raises:
        FileExistsError: See `check_report`.
    """
    check_report(folder)
    remove_ours(folder, keep=['index.html', OBJECTS])
    return claim_folder(folder / 'data')


def check_report(folder: Path) -> None:
    """Check that a report replaces no files but those of an earlier one.

    Raises:
        FileExistsError: Some other file has the name of one of the report's.
    """
    check_free(path for pattern in FILES for path in folder.glob(pattern))


def save_arrays(path: Path, arrays: Any) -> None:
    """Write a dataclass of arrays, compressed."""
    fields = {field.name: getattr(arrays, field.name) for field in dataclasses.fields(arrays)}
    with new_output(path) as partial:
        np.savez_compressed(partial, **fields)


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
    except (TypeError, ValueError, OSError, EOFError, KeyError, BadZipFile) as error:
        raise ValueError(f'{path} does not hold the arrays of {kind.__name__}: {error}') from error


def save_json(path: Path, content: Any) -> None:
    """Write plain values as JSON."""
    write_output(path, json_text(content, indent=1))


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
    if not path.is_file() or not path.stat().st_size:
        return None
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
