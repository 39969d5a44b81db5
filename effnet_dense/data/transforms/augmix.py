"""AugMix without geometry: degraded copies of an image, mixed with it; annotations stay valid."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import albumentations
import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from numpy.typing import NDArray

from effnet_dense.data.transforms.albumentations_config import build_transform
from effnet_dense.registry import TRANSFORMS

PHOTOMETRIC: tuple[dict[str, Any], ...] = (
    dict(type='AutoContrast'),
    dict(type='Equalize'),
    dict(type='Posterize', num_bits=(3, 7)),
    dict(type='Solarize', threshold_range=(0.5, 1.0)),
)
"""AugMix's own operations, without those that move pixels."""

DEGRADING: tuple[dict[str, Any], ...] = (
    dict(type='RandomBrightnessContrast', brightness_limit=0.4, contrast_limit=(-0.7, 0.4)),
    dict(type='HueSaturationValue', hue_shift_limit=10, sat_shift_limit=60, val_shift_limit=0),
    dict(type='GaussianBlur', sigma_limit=(0.5, 4.0)),
)
"""What cameras do, which AugMix leaves out since ImageNet-C tests brightness and contrast."""


@TRANSFORMS.register_module()
class AugMix(BaseTransform):
    """AugMix (Hendrycks et al. 2020, arXiv:1912.02781, section 3) of the image only.

    `width` copies of the image each pass `depth` random operations. Their average, with weights
    from a Dirichlet distribution, is mixed with the image, with a share from a Beta distribution.
    The paper's rotations, shears and translations are left out: boxes and masks would not follow
    a mixture. So is its consistency loss, which needs three forward passes.

    The generators are seeded from numpy's, which mmengine seeds, or `seed_draws` for each sample.

    Args:
        operations: Configs of Albumentations transforms that change the image only; by default
            `PHOTOMETRIC` and `DEGRADING`.
        width: Number of mixed copies.
        depth: Fewest and most operations of a copy.
        alpha: Concentration of both distributions.
        prob: Probability that an image is changed.

    Raises:
        ValueError: An unknown transform, one that moves pixels, or a number out of range.
    """

    def __init__(
        self,
        operations: Sequence[Mapping[str, Any]] = PHOTOMETRIC + DEGRADING,
        width: int = 3,
        depth: tuple[int, int] = (1, 3),
        alpha: float = 1.0,
        prob: float = 1.0,
    ) -> None:
        if width < 1 or not 1 <= depth[0] <= depth[1]:
            raise ValueError(
                f'expected width ≥ 1 and 1 ≤ depth[0] ≤ depth[1], got width={width}, depth={depth}'
            )
        if not alpha > 0 or not 0 <= prob <= 1:
            raise ValueError(f'expected alpha > 0 and prob of 0 to 1, got {alpha} and {prob}')
        if not operations:
            raise ValueError('expected operations, got none')
        self.operations = [_operation(config) for config in operations]
        self.width, self.depth, self.alpha, self.prob = width, tuple(depth), alpha, prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change a sample's image (H, W, 3) in BGR, of uint8 or of integers from 0 to 255.

        The image is of uint8 then, changed or not. mmdet's `CopyPaste` makes int64.

        Raises:
            ValueError: An image of other values or another shape; the message names the file.
        """
        image = results['img']
        fits = image.ndim == 3 and image.shape[2] == 3 and np.issubdtype(image.dtype, np.integer)
        if not fits or (image.size and (image.min() < 0 or image.max() > 255)):
            raise ValueError(
                f'{results.get("img_path")}: AugMix expects an image (H, W, 3) of integers from 0 '
                f'to 255, got {image.shape} of {image.dtype}'
            )
        image = results['img'] = image.astype(np.uint8, copy=False)
        draw = np.random.default_rng(np.random.randint(0, 2**32, 4, dtype=np.uint32))
        if draw.random() >= self.prob:
            return results
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        results['img'] = cv2.cvtColor(self._mixed(rgb, draw), cv2.COLOR_RGB2BGR)
        return results

    def _mixed(self, image: NDArray[np.uint8], draw: np.random.Generator) -> NDArray[np.uint8]:
        weights = draw.dirichlet([self.alpha] * self.width)
        share = draw.beta(self.alpha, self.alpha)
        total = (1 - share) * image.astype(np.float32)
        for weight in weights:
            total += share * weight * self._chain(image, draw)
        return np.clip(np.rint(total), 0, 255).astype(np.uint8)

    def _chain(self, image: NDArray[np.uint8], draw: np.random.Generator) -> NDArray[np.uint8]:
        for _ in range(draw.integers(self.depth[0], self.depth[1] + 1)):
            chosen = self.operations[draw.integers(len(self.operations))]
            words = draw.integers(0, 2**32, 8, dtype=np.uint32)
            chosen.set_random_state(
                np.random.default_rng(words[:4]), random.Random(words[4:].tobytes())
            )
            image = chosen(image=image)['image']
        return image

    def __repr__(self) -> str:
        names = ', '.join(type(each).__name__ for each in self.operations)
        return f'{type(self).__name__}({names}; width={self.width}, prob={self.prob})'


def _operation(config: Mapping[str, Any]) -> Any:
    made = build_transform({'p': 1.0, **config})
    if not isinstance(made, albumentations.ImageOnlyTransform):
        raise ValueError(
            f'{config.get("type")} may move pixels: expected operations that change the image only'
        )
    return made
