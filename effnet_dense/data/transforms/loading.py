"""Load images in pipelines, with errors that name damaged files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import LoadImageFromFile as MmcvLoadImageFromFile
from numpy.typing import NDArray

from effnet_dense.data.bands import decode_bands
from effnet_dense.data.bombs import refuse_bomb
from effnet_dense.data.decoding import FLAGS, decode, is_upright
from effnet_dense.data.image_errors import BadImageError
from effnet_dense.data.image_files import REFUSED
from effnet_dense.data.image_values import KINDS, ImageRange, Raw, parse_range, to_8_bits
from effnet_dense.data.record_sizes import compare_sizes
from effnet_dense.data.reduced_jpeg import decode_reduced
from effnet_dense.registry import TRANSFORMS
from effnet_dense.utils.once import Once
from effnet_dense.utils.regular_files import read_file

DAMAGED: tuple[type[Exception], ...] = (cv2.error, *REFUSED)
"""Exceptions of decoders."""

JPEG_START = b'\xff\xd8'
JPEG_END = b'\xff\xd9'
JPEG_SCAN = 0xDA

LOADING = ('color_type', 'imdecode_backend', 'image_range', 'channels')
"""Arguments of `LoadImageFromFile` on which sizes and values depend."""


@TRANSFORMS.register_module()
class LoadImageFromFile(MmcvLoadImageFromFile):
    """mmcv's `LoadImageFromFile`, but errors name files, and nothing is dropped in silence.

    mmcv's fails with an assertion of OpenCV for an empty file and with its own for other damage;
    with OpenCV 4 it fills the lower part of a truncated JPEG with grey, and training uses it.
    Pipes, devices and decompression bombs are refused.

    Like mmcv's it returns three channels of 8 bits for any file: grey is repeated, palettes are
    looked up, CMYK is converted, 16 bits are divided by 256. Alpha, or a fourth band such as near
    infrared, is dropped, which is logged once. Images are rotated by their orientation, except
    with `color_type='color_ignore_orientation'`; TIFF images always are.

    If the sample has the height and width of its record (mmdet's datasets), or a label map, the
    image must have the same size.

    Sets 'img' (H, W, 3), 'img_shape' and 'ori_shape' (H, W); 'img' is (H, W) for one channel and
    (H, W, channels) for others.

    Args:
        to_float32: Convert to float32, after the 8 bits.
        color_type: mmcv's; 'unchanged' returns the file's values and bands as they are.
        imdecode_backend: mmcv's.
        ignore_empty: Return None instead of an error.
        backend_args: mmengine's, to read files that are not on a disk.
        image_range: The values that become 0 and 255 (see `image_values`): the largest, such as
            4095 for 12-bit data in 16-bit files, or (smallest, largest). By default the file's
            own: 65535 for 16 bits, 1 for floating point. Less than a sixteenth in use is logged
            once.
        channels: Bands of the image, of 8 bits by `image_range`, in the order of the file, which
            must have as many; one turns colours into grey. Three are BGR, as described above.

    Raises:
        ValueError: `image_range` is not a range, or the values are to be 'unchanged'; `channels`
            is not a number from 1, or other arguments belong to three.
    """

    def __init__(
        self,
        to_float32: bool = False,
        color_type: str = 'color',
        imdecode_backend: str = 'cv2',
        ignore_empty: bool = False,
        *,
        backend_args: dict[str, Any] | None = None,
        image_range: ImageRange = None,
        channels: int = 3,
    ) -> None:
        super().__init__(
            to_float32, color_type, imdecode_backend, None, ignore_empty, backend_args=backend_args
        )
        self.image_range = parse_range(image_range)
        if self.image_range is not None and color_type not in FLAGS:
            raise ValueError(
                f'expected color_type as one of {list(FLAGS)} with an image_range, '
                f'got {color_type!r}'
            )
        if type(channels) is not int or channels < 1:
            raise ValueError(f'expected channels as a number from 1, got {channels!r}')
        if channels != 3 and (color_type, imdecode_backend) != ('color', 'cv2'):
            raise ValueError(
                f'expected no color_type and imdecode_backend with channels={channels}, got '
                f'{color_type!r} and {imdecode_backend!r}'
            )
        self.channels = channels
        self.once = Once(*KINDS)

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Load results['img_path'].

        Raises:
            FileNotFoundError: The file does not exist.
            BadImageError: The file cannot be decoded, its values are NaN or outside the default
                range of floating point, or its size is not its record's (a ValueError).
            With `ignore_empty`, None is returned instead of raising any.
        """
        path = results['img_path']
        try:
            with self.errors(path):
                return self.put(results, self.decode(self.read(path), path))
        except (BadImageError, FileNotFoundError):
            if self.ignore_empty:
                return None
            raise

    @contextmanager
    def errors(self, path: str) -> Iterator[None]:
        """Name the file in errors of reading and decoding it.

        Raises:
            FileNotFoundError: The file does not exist.
            BadImageError: Anything else.
        """
        try:
            yield
        except (BadImageError, FileNotFoundError):
            raise
        except DAMAGED as error:
            raise BadImageError(path, str(error)) from error

    def read(self, path: str) -> bytes:
        """Read a file, and refuse what is empty, ends early or would fill the memory."""
        content = read_file(path, self.backend_args)
        if not content:
            raise ValueError('the file is empty')
        if content.startswith(JPEG_START) and jpeg_ends_early(content):
            raise ValueError(f'a JPEG file that ends early, after {len(content)} bytes')
        refuse_bomb(content)
        return content

    def decode(self, content: bytes, path: str, factor: int = 1) -> NDArray[Any]:
        """Decode a file.

        Args:
            content: The file.
            path: For messages.
            factor: For JPEG files, by how much its sides are divided: see `reduced_jpeg`.
        """
        if factor > 1:
            raw = Raw(decode_reduced(content, self.color_type, factor))
        elif self.channels == 3:
            raw = decode(content, self.color_type, self.imdecode_backend)
        else:
            raw = decode_bands(content, self.channels)
        if self._as_stored:
            return self._of_type(raw.values)
        image, notices = to_8_bits(raw, self.image_range)
        for notice in notices:
            self.once.warn(notice.kind, f'{path}: {notice.text}')
        grey = image.ndim == 2 and self.channels == 3 and self.color_type.startswith('color')
        return self._of_type(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if grey else image)

    def _of_type(self, image: NDArray[Any]) -> NDArray[Any]:
        return image.astype(np.float32) if self.to_float32 else image

    def put(self, results: dict[str, Any], image: NDArray[Any]) -> dict[str, Any]:
        """Put an image into its sample, if it has the size of its record."""
        size = (image.shape[1], image.shape[0])
        compare_sizes(results, size, local=self.backend_args is None)
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    @property
    def upright(self) -> bool:
        """Whether images are rotated by their EXIF orientation."""
        return is_upright(self.color_type)

    @property
    def _as_stored(self) -> bool:
        """Whether values stay as mmcv returns them, of any type."""
        raw = self.color_type not in FLAGS or self.imdecode_backend == 'tifffile'
        return raw and self.image_range is None

    def __repr__(self) -> str:
        stated = '' if self.image_range is None else f', image_range={self.image_range}'
        stated += '' if self.channels == 3 else f', channels={self.channels}'
        return f'{super().__repr__()[:-1]}{stated})'


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
