"""The EfficientNet families' tables and the compound rule: a name or φ → every layer's size.

Sources: EfficientNet (arXiv 1905.11946, tables 1 and 2, equation 3), Noisy Student (1911.04252),
AdvProp (1911.09665, B8), EfficientNetV2 (2104.00298, table 4), google/automl's `efficientnetv2/`
and `tensorflow/tpu/models/official/efficientnet/{lite,edgetpu}`, timm `models/efficientnet.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

# The paper's grid search (section 5.1) for doubled FLOPs: α·β²·γ² = 1.92 ≈ 2.
ALPHA, BETA, GAMMA = 1.2, 1.1, 1.15
BASE_RESOLUTION = 224


@dataclass(frozen=True)
class BlockRow:
    """One row of a paper's table: `repeats` blocks, the first of them with the stride."""

    block: str  # 'mbconv' or 'fused'
    kernel: int
    stride: int
    expand: int  # hidden channels ÷ input channels
    channels: int
    repeats: int
    se: float = 0.0  # squeezed channels ÷ the block's input channels; 0: no squeeze-and-excitation
    expand_from: int | None = None  # EdgeTPU: `expand` multiplies this, not the input channels
    shortcut: bool = True  # if input and output shapes agree


@dataclass(frozen=True)
class Architecture:
    """The sizes that define a network of the family, with scaled channels and repeats."""

    name: str
    stem: int
    rows: tuple[BlockRow, ...]
    head: int  # channels of the 1×1 convolution after the last row
    act: str  # 'silu', 'relu6' or 'relu'
    resolution: int = BASE_RESOLUTION  # pixels of the published evaluation
    dropout: float = 0.2  # before the classifier

    def layers(self) -> list[list[BlockRow]]:
        """Group the rows by stride: item i has the rows with output stride 2^(i+1)."""
        groups: list[list[BlockRow]] = [[]]
        for row in self.rows:
            if row.stride == 2:
                groups.append([])
            groups[-1].append(row)
        return groups

    def channels(self) -> tuple[int, ...]:
        """Output channels of layer 0 (stem), 1…5 (stride 2^i) and 6 (the 1×1 head)."""
        return (self.stem, *(rows[-1].channels for rows in self.layers()), self.head)


@dataclass(frozen=True)
class Scale:
    """Width and depth multipliers of a network, resolution in pixels, and dropout."""

    width: float
    depth: float
    resolution: int
    dropout: float = 0.2


def round_filters(filters: float, width: float = 1.0, *, limit: float = 0.9) -> int:
    """Scale a channel count and round it to a multiple of 8, to at least `limit` of the product.

    Source: google/automl `efficientnet_model.py: round_filters`; V2-B0…B3 use limit 0.
    """
    exact = filters * width
    rounded = max(8, int(exact + 4) // 8 * 8)
    return rounded + 8 if rounded < limit * exact else rounded


def round_repeats(repeats: int, depth: float = 1.0) -> int:
    """Scale a row's number of blocks, rounding up."""
    return math.ceil(repeats * depth)


def compound(phi: float, alpha: float = ALPHA, beta: float = BETA, gamma: float = GAMMA) -> Scale:
    """Apply compound scaling (EfficientNet paper, equation 3); φ need not be an integer.

    `compound_detector` does the same for detectors.

    Returns:
        Width β^φ, depth α^φ, and resolution 224·γ^φ in pixels, rounded.

    Raises:
        ValueError: φ is not a finite number from −20 to 20, or a base is not positive.
    """
    if isinstance(phi, bool) or not isinstance(phi, int | float) or not abs(phi) <= 20:
        raise ValueError(f'phi must be a number from -20 to 20, got {phi!r}')
    for name, base in (('alpha', alpha), ('beta', beta), ('gamma', gamma)):
        if isinstance(base, bool) or not isinstance(base, int | float) or not 0 < base < math.inf:
            raise ValueError(f'{name} must be a positive number, got {base!r}')
    return Scale(beta**phi, alpha**phi, round(BASE_RESOLUTION * gamma**phi))


def _mb(kernel: int, stride: int, expand: int, channels: int, repeats: int, se: float) -> BlockRow:
    return BlockRow('mbconv', kernel, stride, expand, channels, repeats, se)


def _fused(stride: int, expand: int, channels: int, repeats: int) -> BlockRow:
    return BlockRow('fused', 3, stride, expand, channels, repeats)


def _b0_rows(se: float) -> tuple[BlockRow, ...]:
    return (
        _mb(3, 1, 1, 16, 1, se),
        _mb(3, 2, 6, 24, 2, se),
        _mb(5, 2, 6, 40, 2, se),
        _mb(3, 2, 6, 80, 3, se),
        _mb(5, 1, 6, 112, 3, se),
        _mb(5, 2, 6, 192, 4, se),
        _mb(3, 1, 6, 320, 1, se),
    )


# Unscaled networks, of which the families below are width and depth multiples.
BASES = {
    'b0': Architecture('b0', 32, _b0_rows(0.25), 1280, 'silu'),
    'lite0': Architecture('lite0', 32, _b0_rows(0.0), 1280, 'relu6'),
    'es': Architecture(
        'es',
        32,
        (
            replace(_fused(1, 4, 24, 1), expand_from=24, shortcut=False),
            _fused(2, 8, 32, 2),
            _fused(2, 8, 48, 4),
            _mb(5, 2, 8, 96, 5, 0.0),
            _mb(5, 1, 8, 144, 4, 0.0),
            _mb(5, 2, 8, 192, 2, 0.0),
        ),
        1280,
        'relu',
    ),
    'v2_b0': Architecture(
        'v2_b0',
        32,
        (
            _fused(1, 1, 16, 1),
            _fused(2, 4, 32, 2),
            _fused(2, 4, 48, 2),
            _mb(3, 2, 4, 96, 3, 0.25),
            _mb(3, 1, 6, 112, 5, 0.25),
            _mb(3, 2, 6, 192, 8, 0.25),
        ),
        1280,
        'silu',
    ),
    'v2_s': Architecture(
        'v2_s',
        24,
        (
            _fused(1, 1, 24, 2),
            _fused(2, 4, 48, 4),
            _fused(2, 4, 64, 4),
            _mb(3, 2, 4, 128, 6, 0.25),
            _mb(3, 1, 6, 160, 9, 0.25),
            _mb(3, 2, 6, 256, 15, 0.25),
        ),
        1280,
        'silu',
    ),
    'v2_m': Architecture(
        'v2_m',
        24,
        (
            _fused(1, 1, 24, 3),
            _fused(2, 4, 48, 5),
            _fused(2, 4, 80, 5),
            _mb(3, 2, 4, 160, 7, 0.25),
            _mb(3, 1, 6, 176, 14, 0.25),
            _mb(3, 2, 6, 304, 18, 0.25),
            _mb(3, 1, 6, 512, 5, 0.25),
        ),
        1280,
        'silu',
    ),
    'v2_l': Architecture(
        'v2_l',
        32,
        (
            _fused(1, 1, 32, 4),
            _fused(2, 4, 64, 7),
            _fused(2, 4, 96, 7),
            _mb(3, 2, 4, 192, 10, 0.25),
            _mb(3, 1, 6, 224, 19, 0.25),
            _mb(3, 2, 6, 384, 25, 0.25),
            _mb(3, 1, 6, 640, 7, 0.25),
        ),
        1280,
        'silu',
    ),
    'v2_xl': Architecture(
        'v2_xl',
        32,
        (
            _fused(1, 1, 32, 4),
            _fused(2, 4, 64, 8),
            _fused(2, 4, 96, 8),
            _mb(3, 2, 4, 192, 16, 0.25),
            _mb(3, 1, 6, 256, 24, 0.25),
            _mb(3, 2, 6, 512, 32, 0.25),
            _mb(3, 1, 6, 640, 8, 0.25),
        ),
        1280,
        'silu',
    ),
}

# Name → (base, scale). The published rows were rounded by hand: no φ gives them exactly.
FAMILIES: dict[str, tuple[str, Scale]] = {
    'b0': ('b0', Scale(1.0, 1.0, 224, 0.2)),
    'b1': ('b0', Scale(1.0, 1.1, 240, 0.2)),
    'b2': ('b0', Scale(1.1, 1.2, 260, 0.3)),
    'b3': ('b0', Scale(1.2, 1.4, 300, 0.3)),
    'b4': ('b0', Scale(1.4, 1.8, 380, 0.4)),
    'b5': ('b0', Scale(1.6, 2.2, 456, 0.4)),
    'b6': ('b0', Scale(1.8, 2.6, 528, 0.5)),
    'b7': ('b0', Scale(2.0, 3.1, 600, 0.5)),
    'b8': ('b0', Scale(2.2, 3.6, 672, 0.5)),
    'l2': ('b0', Scale(4.3, 5.3, 800, 0.5)),
    'lite0': ('lite0', Scale(1.0, 1.0, 224, 0.2)),
    'lite1': ('lite0', Scale(1.0, 1.1, 240, 0.2)),
    'lite2': ('lite0', Scale(1.1, 1.2, 260, 0.3)),
    'lite3': ('lite0', Scale(1.2, 1.4, 280, 0.3)),
    'lite4': ('lite0', Scale(1.4, 1.8, 300, 0.3)),
    'es': ('es', Scale(1.0, 1.0, 224, 0.2)),
    'em': ('es', Scale(1.0, 1.1, 240, 0.2)),
    'el': ('es', Scale(1.2, 1.4, 300, 0.3)),
    'v2_s': ('v2_s', Scale(1.0, 1.0, 384, 0.2)),
    'v2_m': ('v2_m', Scale(1.0, 1.0, 480, 0.3)),
    'v2_l': ('v2_l', Scale(1.0, 1.0, 480, 0.4)),
    'v2_xl': ('v2_xl', Scale(1.0, 1.0, 512, 0.4)),
    'v2_b0': ('v2_b0', Scale(1.0, 1.0, 224, 0.2)),
    'v2_b1': ('v2_b0', Scale(1.0, 1.1, 240, 0.2)),
    'v2_b2': ('v2_b0', Scale(1.1, 1.2, 260, 0.3)),
    'v2_b3': ('v2_b0', Scale(1.2, 1.4, 300, 0.3)),
}


def scale_base(base: Architecture, scale: Scale, name: str) -> Architecture:
    """Scale a base's channels and repeats.

    Lite keeps the channels of stem and head and the repeats of the first and the last row
    (google/automl `lite/efficientnet_lite_builder.py`), so that scaling costs small devices less.
    """
    lite = base.name == 'lite0'
    limit = 0.0 if base.name == 'v2_b0' else 0.9

    def channels(count: int) -> int:
        return round_filters(count, scale.width, limit=limit)

    last = len(base.rows) - 1
    rows = tuple(
        replace(
            row,
            channels=channels(row.channels),
            repeats=row.repeats
            if lite and index in (0, last)
            else round_repeats(row.repeats, scale.depth),
            expand_from=row.expand_from and channels(row.expand_from),
        )
        for index, row in enumerate(base.rows)
    )
    stem, head = (base.stem, base.head) if lite else (channels(base.stem), channels(base.head))
    return Architecture(name, stem, rows, head, base.act, scale.resolution, scale.dropout)


def architecture(arch: str | Mapping[str, Any]) -> Architecture:
    """Resolve an `arch` as `EfficientNet(arch=…)` accepts it.

    Args:
        arch: A published name ('b0' … 'v2_b3'); `dict(phi=1.5)`, optionally with `base` and
            alpha, beta, gamma; or `dict(base='b0', width=1.3, depth=1.7)`, optionally with
            `resolution` and `dropout`.

    Raises:
        ValueError: The name or a key is unknown, or a number is out of range.
    """
    if isinstance(arch, str):
        if f'v2_{arch}' in FAMILIES and arch not in FAMILIES:  # mmpretrain's EfficientNetV2
            raise ValueError(
                f"arch {arch!r} of EfficientNetV2 is 'v2_{arch}' here, and out_indices count "
                'strides: layer i has stride 2^i'
            )
        if arch not in FAMILIES:
            raise ValueError(f'arch must be one of {", ".join(FAMILIES)}, or a dict; got {arch!r}')
        base, scale = FAMILIES[arch]
        return scale_base(BASES[base], scale, arch)
    if not isinstance(arch, Mapping):
        raise ValueError(f'arch must be a name or a dict, got {arch!r}')
    options = dict(arch)
    base = options.pop('base', 'b0')
    if base not in BASES:
        raise ValueError(f"arch['base'] must be one of {', '.join(BASES)}; got {base!r}")
    scale = _scale_by_phi(options) if 'phi' in options else _scale_by_factors(options)
    return scale_base(BASES[base], scale, name=str(dict(arch)))


def _scale_by_phi(options: dict[str, Any]) -> Scale:
    _refuse_unknown(options, ('phi', 'alpha', 'beta', 'gamma'))
    return compound(**options)


def _scale_by_factors(options: dict[str, Any]) -> Scale:
    _refuse_unknown(options, ('width', 'depth', 'resolution', 'dropout'))
    if not {'width', 'depth'} & set(options):
        raise ValueError(f"arch as a dict needs 'phi', or 'width' and 'depth'; got {options}")
    width, depth = options.pop('width', 1.0), options.pop('depth', 1.0)
    for name, value in (('width', width), ('depth', depth)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 20:
            raise ValueError(f'arch[{name!r}] must be a number above 0, up to 20; got {value!r}')
    return Scale(width, depth, **{'resolution': BASE_RESOLUTION, **options})


def _refuse_unknown(options: dict[str, Any], known: tuple[str, ...]) -> None:
    unknown = [key for key in options if key not in known]
    if unknown:
        raise ValueError(f'arch as a dict takes {("base", *known)}, got also {unknown}')
