"""Errors of images that cannot be used, which `--skip-bad` leaves out."""

from __future__ import annotations


class BadImageError(ValueError):
    """Raised for a file that is not a complete image; has its `filename` and the reason, `why`."""

    def __init__(self, filename: str, why: str) -> None:
        super().__init__(filename, why)
        self.filename = filename
        self.why = why

    def __str__(self) -> str:
        return f'cannot decode image {self.filename}: {self.why}'


class BadLabelError(BadImageError):
    """Raised for a label map that cannot be used; `why` is a sentence."""

    def __str__(self) -> str:
        return self.why


class ImageSizeError(BadImageError):
    """Raised for an image whose size is not that of its annotations; `why` is a sentence."""

    def __str__(self) -> str:
        return self.why
