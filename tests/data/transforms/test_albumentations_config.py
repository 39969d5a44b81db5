"""Unknown and renamed transforms and arguments."""

from __future__ import annotations

from typing import Any

import pytest

from effnet_dense import Albumentations


@pytest.mark.parametrize(
    ('transform', 'message'),
    [
        (dict(type='JpegCompression'), "no 'JpegCompression': use ImageCompression"),
        (dict(type='Cutout'), "no 'Cutout': use CoarseDropout"),
        (dict(type='HorizontalFlop'), "no 'HorizontalFlop': use HorizontalFlip"),
        (dict(type='ImageCompression', quality_lower=3), "'quality_lower': use quality_range"),
        (dict(type='GaussNoise', var_limit=3), "no argument 'var_limit': use std_range"),
        (dict(type='Affine', value=3), "Affine has no argument 'value': use fill;"),
        (dict(type='Rotate', mask_value=3), "'mask_value': use fill_mask"),
        (dict(type='CoarseDropout', max_holes=3), "'max_holes': use num_holes_range"),
        (dict(type='CoarseDropout', fill_value=3), "'fill_value': use fill;"),
        (dict(type='RandomResizedCrop', height=3), "'height': use size"),
        (dict(type='Blur', always_apply=True), "'always_apply': use p=1.0"),
        (dict(type='Downscale', scale_min=0.1), "'scale_min': use scale_range"),
        (dict(type='Blur', limit=3), "no argument 'limit': it has blur_limit, p"),
        (dict(type='OneOf', transforms=[dict(type='Blur', limit=3)]), "no argument 'limit'"),
        (dict(type='Affine', fill_mask=9), 'fill_mask=9: instance masks are filled with 0'),
        (dict(blur_limit=3), r'expected .* dict\(type=…\), got'),
    ],
)
def test_what_albumentations_would_pass_over_is_an_error(transform: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Albumentations([transform])
