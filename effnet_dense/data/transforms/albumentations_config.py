"""Build Albumentations transforms from configs, with hints for what Albumentations 2 renamed.

Albumentations only warns about an unknown argument and continues with its default. `strict=True`
makes that an error, but not one that names the right argument, and compositions do not have it.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

import albumentations

RENAMED_TYPES = {
    'Cutout': 'CoarseDropout',
    'Flip': 'HorizontalFlip, VerticalFlip or D4',
    'GaussianNoise': 'GaussNoise',
    'IAAAdditiveGaussianNoise': 'GaussNoise',
    'IAAAffine': 'Affine',
    'IAACropAndPad': 'CropAndPad',
    'IAAEmboss': 'Emboss',
    'IAAFliplr': 'HorizontalFlip',
    'IAAFlipud': 'VerticalFlip',
    'IAAPerspective': 'Perspective',
    'IAAPiecewiseAffine': 'PiecewiseAffine',
    'IAASharpen': 'Sharpen',
    'IAASuperpixels': 'Superpixels',
    'JpegCompression': 'ImageCompression',
    'RandomBrightness': 'RandomBrightnessContrast',
    'RandomContrast': 'RandomBrightnessContrast',
}
# New name → old names, several if a pair of numbers became a range. If an old name has several new
# ones, the hint names the first that the transform has.
RENAMED_ARGUMENTS = {
    'p=1.0': ('always_apply',),
    'fill': ('value', 'fill_value', 'image_fill_value', 'cval', 'pad_cval', 'pad_val'),
    'fill_mask': (
        *('mask_value', 'mask_fill_value', 'cval_mask', 'pad_cval_mask', 'mask_pad_val'),
    ),
    'border_mode': ('mode', 'pad_mode'),
    'quality_range': ('quality_lower', 'quality_upper', 'quality'),
    'std_range': ('var_limit',),
    'mean_range': ('mean',),
    'num_holes_range': ('max_holes', 'min_holes', 'num_holes'),
    'hole_height_range': ('max_height', 'min_height', 'max_h_size'),
    'hole_width_range': ('max_width', 'min_width', 'max_w_size'),
    'size': ('height', 'width'),
    'scale_range': ('scale_min', 'scale_max'),
    'interpolation_pair': ('interpolation',),
    'fog_coef_range': ('fog_coef_lower', 'fog_coef_upper'),
    'slant_range': ('slant_lower', 'slant_upper'),
    'snow_point_range': ('snow_point_lower', 'snow_point_upper'),
    'num_shadows_limit': ('num_shadows_lower', 'num_shadows_upper'),
    'angle_range': ('angle_lower', 'angle_upper'),
    'num_flare_circles_range': ('num_flare_circles_lower', 'num_flare_circles_upper'),
    'threshold_range': ('threshold',),
    'unit_size_range': ('unit_size_min', 'unit_size_max'),
    'holes_number_xy': ('holes_number_x', 'holes_number_y'),
    'shift_xy': ('shift_x', 'shift_y'),
}


def build_transform(config: Any, seg_pad_val: int = 255) -> Any:
    """Build a transform or composition from a config with `type`.

    Args:
        config: `dict(type='OneOf', transforms=[dict(type='Blur', blur_limit=3), …], p=0.1)`.
        seg_pad_val: Fill value of label maps; `fill_mask` may be this value too.

    Raises:
        ValueError: `type` is missing or unknown, or does not have one of the arguments.
    """
    if not isinstance(config, Mapping) or 'type' not in config:
        raise ValueError(f'expected an Albumentations transform, dict(type=…), got {config!r}')
    arguments = dict(config)
    made = _find(arguments.pop('type'))
    names = [name for name in inspect.signature(made.__init__).parameters if name != 'self']
    for name in arguments:
        if name not in names:
            raise ValueError(_unknown_argument(made.__name__, name, names))
    if 'fill_mask' in arguments:
        arguments['fill_mask'] = _fill_mask(arguments['fill_mask'], seg_pad_val)
    for name in ('transforms', 'first', 'second'):
        if name in arguments:
            arguments[name] = _nested(arguments[name], seg_pad_val)
    return made(**arguments)


def _find(kind: Any) -> Any:
    if isinstance(kind, type):
        return kind
    found = getattr(albumentations, str(kind), None)
    if inspect.isclass(found):
        return found
    close = difflib.get_close_matches(str(kind), dir(albumentations), 1)
    right = RENAMED_TYPES.get(str(kind)) or ', '.join(close)
    hint = f'use {right}' if right else 'there is no similar name'
    raise ValueError(f'albumentations {albumentations.__version__} has no {kind!r}: {hint}')


def _unknown_argument(kind: str, name: str, names: list[str]) -> str:
    renamed = [new for new, old in RENAMED_ARGUMENTS.items() if name in old]
    found = [new for new in renamed if new.split('=')[0] in names]
    hint = f'use {found[0]}; ' if found else ''
    return f'{kind} has no argument {name!r}: {hint}it has {", ".join(names)}'


def _fill_mask(value: Any, seg_pad_val: int) -> Any:
    """Return 0 or None: 0 fills instance masks, and becomes `seg_pad_val` in label maps."""
    if value is None or value in (0, seg_pad_val):
        return None if value is None else 0
    raise ValueError(
        f'fill_mask={value!r}: instance masks are filled with 0, label maps with seg_pad_val='
        f'{seg_pad_val}; set fill_mask to 0 or None (not filled), or seg_pad_val to {value!r}'
    )


def _nested(part: Any, seg_pad_val: int) -> Any:
    if isinstance(part, (list, tuple)):
        return [build_transform(child, seg_pad_val) for child in part]
    return build_transform(part, seg_pad_val)
