"""Load images in pipelines, with errors that name damaged files."""

from __future__ import annotations

from typing import Any

import cv2
import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile as MmcvLoadImageFromFile
from mmengine import fileio

from effnet_dense.registry import TRANSFORMS

JPEG_START = b'\xff\xd8'
JPEG_END = b'\xff\xd9'
JPEG_SCAN = 0xDA


class BadImageError(ValueError):
    """Raised for a file that is not a complete image; has its `filename` and the reason, `why`."""

    def __init__(self, filename: str, why: str) -> None:
        super().__init__(filename, why)
        self.filename = filename
        self.why = why

    def __str__(self) -> str:
        return f'cannot decode image {self.filename}: {self.why}'


@TRANSFORMS.register_module()
class LoadImageFromFile(MmcvLoadImageFromFile):
    """mmcv's `LoadImageFromFile`, but the error names a file that is not a complete image.

    mmcv's fails with an assertion of OpenCV for an empty file and with its own for other damage;
    with OpenCV 4 it fills the lower part of a truncated JPEG with grey, and training uses it.

    Like mmcv's it returns three channels of 8 bits for any file: grey is repeated, palettes are
    looked up, CMYK is converted, 16 bits are divided by 256, alpha is dropped. Images are rotated
    by their EXIF orientation, except with `color_type='color_ignore_orientation'`.

    Sets 'img' (H, W, 3), 'img_shape' and 'ori_shape' (H, W).
    """

    def __init__(
        self,
        to_float32: bool = False,
        color_type: str = 'color',
        imdecode_backend: str = 'cv2',
        ignore_empty: bool = False,
        *,
        backend_args: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            to_float32, color_type, imdecode_backend, None, ignore_empty, backend_args=backend_args
        )

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Load results['img_path'].

        Raises:
            FileNotFoundError: The file does not exist.
            BadImageError: The file cannot be decoded (a ValueError).
            With `ignore_empty`, None is returned instead of raising either.
        """
        path = results['img_path']
        try:
            image = self._decode(fileio.get(path, backend_args=self.backend_args))
        except (cv2.error, OSError, ValueError) as error:
            if self.ignore_empty:
                return None
            if isinstance(error, FileNotFoundError):
                raise
            raise BadImageError(path, str(error)) from error
        results['img'] = image.astype(np.float32) if self.to_float32 else image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def _decode(self, content: bytes) -> np.ndarray:
        if not content:
            raise ValueError('the file is empty')
        if content.startswith(JPEG_START) and jpeg_ends_early(content):
            raise ValueError(f'a JPEG file that ends early, after {len(content)} bytes')
        backend = self.imdecode_backend
        image = mmcv.imfrombytes(content, flag=self.color_type, backend=backend)
        if image is None:
            raise ValueError(f'{len(content)} bytes that {backend} cannot decode')
        return image


def jpeg_ends_early(content: bytes) -> bool:
    """Whether the end marker after the image data is missing.

    The segments before the data (ITU-T T.81, B.1.1.4) are skipped, because a preview inside them
    has its own end marker; within the data a 0xFF is escaped, so that the first marker found
    is the end. What some cameras append after it does not matter.
    """
    at = len(JPEG_START)
    while at + 4 <= len(content):
        if content[at] != 0xFF:
            return False  # not standard: left to the decoder
        if content[at + 1] == 0xFF:  # a fill byte
            at += 1
        elif content[at + 1] == JPEG_SCAN:
            # Nearly all files end with it; searching for it takes a twentieth of the decoding time.
            return not content.endswith(JPEG_END) and content.find(JPEG_END, at) == -1
        else:
            at += 2 + int.from_bytes(content[at + 2 : at + 4], 'big')
    return True
