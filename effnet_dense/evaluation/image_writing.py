"""Write images atomically, and name the drawing of an image in a format that can hold it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from effnet_dense.utils.output_names import folders_of, replace_suffix
from effnet_dense.utils.outputs import check_free, new_output

GREY_ONLY = ('.pbm', '.pgm')
"""Formats without colour, which drawings have."""


def write_image(path: Path, image: NDArray[Any]) -> None:
    """Write an image (H, W) or (H, W, 3), BGR, atomically, in the format of the path's suffix.

    Missing folders are created.

    Raises:
        FileExistsError: The package did not write the file that has this name.
        OSError: The file cannot be written; the message names a full disk.
        ValueError: OpenCV cannot write this format.
    """
    check_free([path])
    try:
        encoded, content = cv2.imencode(path.suffix, np.ascontiguousarray(image))
    except cv2.error as error:
        raise ValueError(f'cannot write {path}: {error}') from error
    if not encoded:
        raise ValueError(f'cannot write {path}: OpenCV cannot encode this image')
    with new_output(path, fsync=False) as partial:
        partial.write_bytes(content.data)


def drawing_names(images: Iterable[str], taken: Collection[str] = frozenset()) -> dict[str, str]:
    """Name the drawings of images: like the image, as PNG where its format has no colours.

    Args:
        images: Relative names.
        taken: Further names that no drawing may have.

    Returns:
        Image's name → its drawing's; no two are equal.
    """
    images = list(images)
    kept = [name for name in images if _can_draw(name)]
    others = [name for name in images if not _can_draw(name)]
    used = folders_of(images) | set(kept) | set(taken)
    return {**{name: name for name in kept}, **replace_suffix(others, '.png', used)}


def _can_draw(name: str) -> bool:
    suffix = PurePosixPath(name).suffix.lower()
    return suffix not in GREY_ONLY and suffix != '' and cv2.haveImageWriter(f'image{suffix}')
