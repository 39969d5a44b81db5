"""Decode JPEG images no larger than the step that resizes them needs.

The file is read where it was, but decoded by the resizing step, once that has drawn its scale: all
random numbers stay the same, and so do sizes, boxes, masks and label maps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import mmcv
from mmcv.transforms import BaseTransform, LoadAnnotations, RandomChoiceResize, RandomResize
from mmcv.transforms import Resize as MmcvResize
from mmdet.datasets.transforms import Resize as MmdetResize
from mmseg.datasets.transforms import Resize as MmsegResize
from numpy.typing import NDArray

from effnet_dense.data.decoding import FLAGS
from effnet_dense.data.label_maps.loading import LoadLabelMap
from effnet_dense.data.record_sizes import compare_sizes
from effnet_dense.data.reduced_jpeg import Jpeg, largest_factor, read_jpeg, resize_reduced
from effnet_dense.data.transforms.loading import LoadImageFromFile
from effnet_dense.data.transforms.packing import parts_of

Size = tuple[int, int]
"""Width and height."""

BETWEEN = (LoadAnnotations, LoadLabelMap)
"""Steps between loading and resizing that do not need the image."""

RANDOM = (RandomResize, RandomChoiceResize)
"""Steps that draw a scale for a step of their own."""


BILINEAR = ('cv2', 'bilinear')
"""Backend and interpolation of resizing steps."""


@dataclass(frozen=True)
class Encoded:
    """A JPEG file in place of its image.

    Args:
        loader: Decodes it.
        path: For error messages.
        content: The file.
        jpeg: Its header.
    """

    loader: LoadImageFromFile
    path: str
    content: bytes
    jpeg: Jpeg

    @property
    def shape(self) -> Size:
        """The complete image's height and width."""
        return self.jpeg.size[1], self.jpeg.size[0]

    def resized(self, wanted: Size) -> NDArray[Any]:
        """Decode what an image of the size `wanted` needs, and resize it bilinearly.

        Raises:
            BadImageError: The file cannot be decoded, or is too narrow to be resized.
        """
        factor = largest_factor(self.jpeg, wanted)
        with self.loader.errors(self.path):
            if not all(wanted):
                raise ValueError(f'{self.jpeg.size} (width, height) resized to {wanted} is empty')
            image = self.loader.decode(self.content, self.path, factor)
            expected = tuple(-(-side // factor) for side in self.shape)
            if image.shape[:2] != expected:
                raise ValueError(f'its header says {expected} (height, width), got {image.shape}')
        if factor == 1:
            return mmcv.imresize(image, wanted)
        return resize_reduced(image, self.jpeg.size, factor, wanted)


class LoadEncoded(BaseTransform):
    """Load an image as `Encoded`; other files than JPEG at once.

    Args:
        loader: As in the config.
    """

    def __init__(self, loader: LoadImageFromFile) -> None:
        self.loader = loader

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Read results['img_path']; errors are those of `LoadImageFromFile`."""
        path = results['img_path']
        with self.loader.errors(path):
            content = self.loader.read(path)
            jpeg = read_jpeg(content, self.loader.color_type)
            if jpeg is None:
                return self.loader.put(results, self.loader.decode(content, path))
            compare_sizes(results, jpeg.size, local=self.loader.backend_args is None)
        encoded = Encoded(self.loader, path, content, jpeg)
        return {**results, 'img': encoded, 'img_shape': encoded.shape, 'ori_shape': encoded.shape}

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.loader!r})'


class _OfEncoded:
    """Resizes `Encoded` images, too."""

    keep_ratio: bool

    def _resize_img(self, results: dict[str, Any]) -> None:
        encoded = results.get('img')
        if not isinstance(encoded, Encoded):
            super()._resize_img(results)  # type: ignore[misc]
            return
        wanted = results['scale']
        if self.keep_ratio:
            wanted = mmcv.rescale_size(encoded.jpeg.size, wanted)
        image = encoded.resized(wanted)
        results['img'], results['img_shape'] = image, image.shape[:2]
        results['scale_factor'] = tuple(
            new / side for new, side in zip(wanted, encoded.jpeg.size, strict=True)
        )
        results['keep_ratio'] = self.keep_ratio


class _Resize(_OfEncoded, MmcvResize):
    pass


class _MmdetResize(_OfEncoded, MmdetResize):
    pass


class _MmsegResize(_OfEncoded, MmsegResize):
    pass


RESIZERS = {MmcvResize: _Resize, MmdetResize: _MmdetResize, MmsegResize: _MmsegResize}


def reduce_decoding(dataset: object) -> int:
    """Decode a dataset's JPEG images as late, and as small, as possible.

    Args:
        dataset: Built; changed in place. A pipeline must begin with this package's
            `LoadImageFromFile` of three channels, then annotations, then a resizing step of mmcv,
            mmdet or mmseg with bilinear interpolation. Others stay.

    Returns:
        The number of pipelines that were changed.
    """
    changed = 0
    for transforms in _pipelines(dataset):
        resizer = _resizer(transforms)
        if resizer is not None:
            resizer.__class__ = RESIZERS[type(resizer)]
            transforms[0] = LoadEncoded(transforms[0])
            changed += 1
    return changed


def _pipelines(dataset: object) -> Iterator[list[Any]]:
    for part in parts_of(dataset):
        transforms = getattr(part, 'transforms', None)
        if isinstance(transforms, list) and transforms:
            yield transforms


def _resizer(transforms: list[Any]) -> Any:
    """Return the step that resizes images, if none before it needs them; else None."""
    if type(transforms[0]) is not LoadImageFromFile or not _is_plain(transforms[0]):
        return None
    rest = (step for step in transforms[1:] if not isinstance(step, BETWEEN))
    step: Any = next(rest, None)
    resizer = step.resize if isinstance(step, RANDOM) else step
    if type(resizer) not in RESIZERS:
        return None
    return resizer if (resizer.backend, resizer.interpolation) == BILINEAR else None


def _is_plain(loader: LoadImageFromFile) -> bool:
    """Whether OpenCV loads three channels, and a file that cannot be loaded is an error."""
    plain = loader.imdecode_backend == 'cv2' and loader.color_type in FLAGS
    return plain and loader.channels == 3 and not loader.ignore_empty
