"""Predefined augmentation policies of Albumentations transforms, by name."""

from __future__ import annotations

import copy
from typing import Any

Config = dict[str, Any]

# Photometric and geometric changes that suit most everyday images. Nothing turns them upside down,
# and no hue shift is large enough to change a colour's name.
LIGHT: list[Config] = [
    dict(type='HorizontalFlip', p=0.5),
    dict(type='RandomBrightnessContrast', brightness_limit=0.1, contrast_limit=0.1, p=0.5),
    dict(
        type='HueSaturationValue', hue_shift_limit=5, sat_shift_limit=10, val_shift_limit=5, p=0.3
    ),
]
MEDIUM: list[Config] = [
    dict(type='HorizontalFlip', p=0.5),
    dict(
        type='Affine',
        scale=(0.8, 1.2),
        translate_percent=(-0.1, 0.1),
        rotate=(-5, 5),
        balanced_scale=True,
        keep_ratio=True,
        p=0.5,
    ),
    dict(type='RandomBrightnessContrast', brightness_limit=0.2, contrast_limit=0.2, p=0.5),
    dict(
        type='HueSaturationValue', hue_shift_limit=10, sat_shift_limit=25, val_shift_limit=10, p=0.5
    ),
    dict(
        type='OneOf',
        transforms=[
            dict(type='Blur', blur_limit=3, p=1.0),
            dict(type='GaussNoise', std_range=(0.01, 0.04), p=1.0),
            dict(type='ImageCompression', quality_range=(60, 95), p=1.0),
        ],
        p=0.2,
    ),
]
HEAVY: list[Config] = [
    dict(type='HorizontalFlip', p=0.5),
    dict(
        type='Affine',
        scale=(0.5, 1.5),
        translate_percent=(-0.2, 0.2),
        rotate=(-15, 15),
        shear=(-5, 5),
        balanced_scale=True,
        keep_ratio=True,
        p=0.8,
    ),
    dict(type='Perspective', scale=(0.02, 0.06), p=0.2),
    dict(type='RandomBrightnessContrast', brightness_limit=0.3, contrast_limit=0.3, p=0.7),
    dict(
        type='HueSaturationValue', hue_shift_limit=15, sat_shift_limit=40, val_shift_limit=20, p=0.7
    ),
    dict(
        type='OneOf',
        transforms=[
            dict(type='CLAHE', clip_limit=(1, 3), p=1.0),
            dict(type='RandomGamma', gamma_limit=(70, 140), p=1.0),
            dict(type='ToGray', p=1.0),
        ],
        p=0.2,
    ),
    dict(
        type='OneOf',
        transforms=[
            dict(type='MotionBlur', blur_limit=(3, 7), p=1.0),
            dict(type='GaussianBlur', sigma_limit=(0.5, 2.0), p=1.0),
            dict(type='GaussNoise', std_range=(0.02, 0.1), p=1.0),
            dict(type='ImageCompression', quality_range=(30, 90), p=1.0),
        ],
        p=0.4,
    ),
]
# Boxes remain valid: holes are small, and only in the image.
HEAVY.append(
    dict(
        type='CoarseDropout',
        num_holes_range=(1, 6),
        hole_height_range=(0.02, 0.08),
        hole_width_range=(0.02, 0.08),
        fill=114,
        p=0.3,
    )
)
POLICIES = {'light': LIGHT, 'medium': MEDIUM, 'heavy': HEAVY}


def albumentations_policy(name: str) -> list[Config]:
    """Copy a policy's transform configs: 'light', 'medium' or 'heavy'.

    Raises:
        ValueError: The name is unknown.
    """
    if name not in POLICIES:
        raise ValueError(f'no policy {name!r}, expected one of {list(POLICIES)}')
    return copy.deepcopy(POLICIES[name])
