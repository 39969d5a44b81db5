"""Write the images that annotation files contain, so that they can be loaded like others."""

from __future__ import annotations

import base64
import binascii
import io
from pathlib import Path, PureWindowsPath
from typing import Any

from PIL import Image

from effnet_dense.data.image_files import IMAGE_SUFFIXES, REFUSED
from effnet_dense.utils.atomic import atomic_write
from effnet_dense.utils.counted import counted

FAILURES: tuple[type[Exception], ...] = (TypeError, binascii.Error, *REFUSED)
"""Exceptions for text that is no image in base64."""

SUFFIXES = {'JPEG': '.jpg', 'PNG': '.png', 'BMP': '.bmp', 'TIFF': '.tif', 'WEBP': '.webp'}
"""Pillow's name of a format → suffix."""


class EmbeddedImages:
    """A folder for images from annotation files.

    Args:
        folder: Created with the first image.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names: set[str] = set()

    def write(self, text: Any, file_name: str, source: Path) -> str:
        """Write an image, and return its name in the folder.

        Args:
            text: The file in base64.
            file_name: What it is called; only the last name counts.
            source: The annotation file, for messages.

        Raises:
            ValueError: It is no image.
        """
        try:
            content = base64.b64decode(text, validate=True)
            with Image.open(io.BytesIO(content), formats=list(SUFFIXES)) as image:
                suffix = SUFFIXES[str(image.format)]
        except FAILURES as error:
            raise ValueError(f'{source}: imageData is no image in base64: {error}') from None
        name = self._name(PureWindowsPath(file_name).name or source.stem, suffix)
        path = self.folder / name
        if not path.is_file() or path.read_bytes() != content:
            self.folder.mkdir(parents=True, exist_ok=True)
            atomic_write(path, content, fsync=False)
        return name

    def _name(self, name: str, suffix: str) -> str:
        """Return an unused name with an image's suffix."""
        plain = PureWindowsPath(name).stem.lstrip('.') or 'image'
        known = PureWindowsPath(name).suffix.lower() in IMAGE_SUFFIXES
        suffix = PureWindowsPath(name).suffix if known else suffix
        name, number = f'{plain}{suffix}', 1
        while name.lower() in self._names:
            number += 1
            name = f'{plain}-{number}{suffix}'
        self._names.add(name.lower())
        return name

    def folders(self) -> tuple[Path, ...]:
        """Return the folder, if an image was written."""
        return (self.folder,) if self._names else ()

    def remarks(self) -> list[str]:
        """Describe what was written."""
        if not self._names:
            return []
        return [f'{counted(len(self._names), "image")} of JSON files only, are in {self.folder}/']
