"""A predefined augmentation policy as one transform of a pipeline."""

from __future__ import annotations

from typing import Any

from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS as ALL_TRANSFORMS

from effnet_dense.data.transforms.albumentations import Albumentations
from effnet_dense.data.transforms.policy_tables import POLICIES
from effnet_dense.registry import TRANSFORMS

EFFICIENTDET = 'efficientdet'


@TRANSFORMS.register_module()
class Policy(BaseTransform):
    """A predefined augmentation, between LoadAnnotations and Pack…Inputs.

    - 'light', 'medium', 'heavy': Albumentations transforms that keep the image's size.
    - 'efficientdet': scale jitter 0.1–2.0, crops, flips (Tan et al. 2020, section 5.1; automl's
      hparams), with the transforms of the config's library.

    Args:
        name: The policy's name.
        size: For 'efficientdet' only: the network's input (width, height), or a square's side.

    Raises:
        ValueError: An unknown name, 'efficientdet' without a size, or a size for another policy.
    """

    def __init__(self, name: str, size: int | tuple[int, int] | None = None) -> None:
        if name not in (*POLICIES, EFFICIENTDET):
            raise ValueError(f'no policy {name!r}, expected one of {[*POLICIES, EFFICIENTDET]}')
        if (name == EFFICIENTDET) != (size is not None):
            raise ValueError(
                f"a size is required for 'efficientdet' and for no other policy, got {name}, {size}"
            )
        self.name = name
        self.transforms: list[Any] = [Albumentations(name)] if size is None else jitter(size)

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Apply the policy; None if a crop has no box: the dataset then takes another sample."""
        changed: dict[str, Any] | None = results
        for transform in self.transforms:
            if changed is not None:
                changed = transform(changed)
        return changed

    def __repr__(self) -> str:
        return f'{type(self).__name__}(name={self.name!r}, transforms={self.transforms})'


def jitter(size: int | tuple[int, int]) -> list[Any]:
    """Build EfficientDet's policy: resize to 0.1–2 times `size`, crop, flip half of the images."""
    scale = (size, size) if isinstance(size, int) else tuple(size)
    configs: list[dict[str, Any]] = [
        dict(type='RandomResize', scale=scale, ratio_range=(0.1, 2.0), keep_ratio=True),
        dict(type='RandomCrop', crop_size=scale),
        dict(type='RandomFlip', prob=0.5),
    ]
    return [ALL_TRANSFORMS.build(config) for config in configs]
