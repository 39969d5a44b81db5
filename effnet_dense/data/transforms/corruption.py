"""The fifteen common corruptions of COCO-C and ImageNet-C, deterministic for each image.

Hendrycks and Dietterich 2019 (arXiv:1903.12261), for detectors Michaelis et al. 2019
(arXiv:1907.07484). The corruptions are those of the package `imagecorruptions`, which both use.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from numpy.typing import NDArray

from effnet_dense.registry import TRANSFORMS
from effnet_dense.utils.near_names import with_nearest

FAMILIES: dict[str, tuple[str, ...]] = {
    'noise': ('gaussian_noise', 'shot_noise', 'impulse_noise'),
    'blur': ('defocus_blur', 'glass_blur', 'motion_blur', 'zoom_blur'),
    'weather': ('snow', 'frost', 'fog', 'brightness'),
    'digital': ('contrast', 'elastic_transform', 'pixelate', 'jpeg_compression'),
}
CORRUPTIONS = tuple(name for names in FAMILIES.values() for name in names)
SEVERITIES = (1, 2, 3, 4, 5)
SMALLEST = 32
"""Smallest side of an image, in pixels, that `imagecorruptions` takes."""
MISSING = "corruptions need a package that is not installed: pip install 'effnet_dense[robustness]'"


def chosen_corruptions(names: Iterable[str]) -> tuple[str, ...]:
    """Return the corruptions that names of corruptions and families stand for, in our order.

    Raises:
        ValueError: A name is unknown; the message has the nearest one.
    """
    names = list(names)
    known = [*CORRUPTIONS, *FAMILIES]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f'no corruption {with_nearest(unknown, known)}; expected some of '
            f'{", ".join(CORRUPTIONS)}, or of the families {", ".join(FAMILIES)}'
        )
    wanted = {each for name in names for each in FAMILIES.get(name, (name,))}
    return tuple(name for name in CORRUPTIONS if name in wanted)


def check_severity(severity: Any) -> int:
    """Return a severity.

    Raises:
        ValueError: It is not from 1 to 5.
    """
    if isinstance(severity, bool) or severity not in SEVERITIES:
        raise ValueError(f'expected a severity from 1 to 5, got {severity!r}')
    return int(severity)


def check_sides(height: int, width: int) -> None:
    """Check the size of an image in pixels.

    Raises:
        ValueError: It is too small to be corrupted.
    """
    if min(height, width) < SMALLEST:
        raise ValueError(
            f'corruptions are for sides of at least {SMALLEST} pixels, got an image of '
            f'{width} × {height}'
        )


def corrupted(image: NDArray[np.uint8], name: str, severity: int, seed: int) -> NDArray[np.uint8]:
    """Corrupt an image; numpy's global generator is left as it was.

    The random numbers depend on the seed and the corruption, not on the severity: the noise of
    severity 5 is that of severity 1, but stronger.

    Args:
        image: (H, W, 3) uint8, RGB.
        name: One of `CORRUPTIONS`.
        severity: 1 to 5.
        seed: Of the image; not negative.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ImportError: `imagecorruptions` is not installed.
        ValueError: The name is unknown, the severity is out of range, or the image has another
            type or shape, or a side below 32 pixels.
    """
    if name not in CORRUPTIONS:
        chosen_corruptions([name])  # a family is no corruption either
        raise ValueError(f'expected one corruption, got the family {name!r}')
    check_severity(severity)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f'corruptions are for images (H, W, 3) of uint8, got {image.shape} of {image.dtype}'
        )
    check_sides(*image.shape[:2])
    corrupt = _package()
    words = np.random.SeedSequence([seed, zlib.crc32(name.encode())]).generate_state(8)
    with _seeded(words), redirect_stdout(io.StringIO()):  # zoom_blur prints what it rounds
        made = corrupt(image, severity=severity, corruption_name=name)
    return np.ascontiguousarray(made)


@TRANSFORMS.register_module()
class Corrupt(BaseTransform):
    """Corrupt a sample's image as COCO-C does, for a test pipeline of mmdet or mmseg.

    Its place is after loading and before resizing. In contrast to mmdet's `Corrupt`, every image
    has its own random numbers, the same in each run, and the corruptions get RGB as they expect.

    Args:
        corruption: One of `CORRUPTIONS`.
        severity: 1 to 5.
        seed: Another one gives all images other random numbers.

    Raises:
        ImportError: `imagecorruptions` is not installed.
        ValueError: An unknown corruption, a severity out of range or a negative seed.
    """

    def __init__(self, corruption: str, severity: int = 1, seed: int = 0) -> None:
        if corruption not in CORRUPTIONS:
            chosen_corruptions([corruption])
            raise ValueError(f'expected one corruption, got the family {corruption!r}')
        if seed < 0:
            raise ValueError(f'expected a seed that is not negative, got {seed}')
        self.corruption, self.severity, self.seed = corruption, check_severity(severity), seed
        _package()
        if corruption == 'glass_blur':
            _compile_glass_blur()  # here, so that workers which are forked later have it

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Corrupt `img`, (H, W, 3) uint8 in BGR.

        Raises:
            ValueError: See `corrupted`; the message names the image.
        """
        rgb = np.ascontiguousarray(results['img'][..., ::-1])
        seed = image_seed(results.get('img_id'), results.get('img_path'), self.seed)
        try:
            made = corrupted(rgb, self.corruption, self.severity, seed)
        except ValueError as error:
            raise ValueError(f'{results.get("img_path")}: {error}') from error
        results['img'] = np.ascontiguousarray(made[..., ::-1])
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(corruption={self.corruption!r}, severity={self.severity}, '
            f'seed={self.seed})'
        )


def image_seed(image_id: Any, path: Any, seed: int = 0) -> int:
    """Return the seed of an image: by its id, else, as in mmseg, by its file's name."""
    key = f'{image_id}' if image_id is not None else Path(str(path)).name
    return zlib.crc32(f'{seed} {key}'.encode(errors='surrogateescape'))


def _package() -> Any:
    try:
        from imagecorruptions import corrupt
    except (ImportError, AttributeError) as error:  # 1.1.2 with numpy 2 or scipy 1.15: neither
        raise ImportError(f'{MISSING} ({error})') from error
    return corrupt


@cache
def _compile_glass_blur() -> None:
    corrupted(np.zeros((SMALLEST, SMALLEST, 3), np.uint8), 'glass_blur', 1, 0)


@contextmanager
def _seeded(words: NDArray[Any]) -> Iterator[None]:
    """Seed numpy's global generator, and those that are made without a seed, in the block.

    scikit-image makes its own for impulse noise, and `imagecorruptions` one to seed numba's.
    """
    before, make = np.random.get_state(), np.random.default_rng

    def seeded(seed: Any = None) -> np.random.Generator:
        return make(words if seed is None else seed)

    np.random.seed(words)
    np.random.default_rng = seeded
    try:
        yield
    finally:
        np.random.default_rng = make
        np.random.set_state(before)
