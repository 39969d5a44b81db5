"""The papers' tables and compound rules: a name or a φ → the sizes of networks.

Plain Python, so that tables can be read and searched without loading torch.

Sources: EfficientNet (arXiv 1905.11946, tables 1 and 2, equation 3), Noisy Student (1911.04252,
B8 by AdvProp 1911.09665), EfficientNetV2 (2104.00298, table 4), google/automl's `efficientnetv2/`
and `tensorflow/tpu/models/official/efficientnet/{lite,edgetpu}`, timm `models/efficientnet.py`;
EfficientDet (1911.09070, section 4, equations 1 to 3, table 1), google/automl's `efficientdet/
hparams_config.py`, effdet `config/model_config.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

# The grid search of the paper (section 5.1): α·β²·γ² = 1.92 ≈ 2 when FLOPs were to double.
ALPHA, BETA, GAMMA = 1.2, 1.1, 1.15
BASE_RESOLUTION = 224


@dataclass(frozen=True)
class BlockRow:
    """One row of a paper's table: `repeats` blocks, of which the first has the stride."""

    block: str  # 'mbconv' or 'fused'
    kernel: int
    stride: int
    expand: int  # hidden channels ÷ input channels
    channels: int
    repeats: int
    se: float = 0.0  # squeezed channels ÷ the block's input channels; 0: no squeeze-and-excitation
    expand_from: int | None = None  # EdgeTPU: what the first block's expansion multiplies
    shortcut: bool = True  # where the shapes agree


@dataclass(frozen=True)
class Architecture:
    """All that a network of the family is built from; channels and repeats are final numbers."""

    name: str
    stem: int
    rows: tuple[BlockRow, ...]
    head: int
    act: str  # 'silu', 'relu6' or 'relu'
    resolution: int = BASE_RESOLUTION  # pixels of the published evaluation
    dropout: float = 0.2  # before the classifier

    def layers(self) -> list[list[BlockRow]]:
        """The rows grouped by stride: item i holds those whose output has stride 2^(i+1)."""
        groups: list[list[BlockRow]] = [[]]
        for row in self.rows:
            if row.stride == 2:
                groups.append([])
            groups[-1].append(row)
        return groups

    def channels(self) -> tuple[int, ...]:
        """Channels of layer 0 (stem), layers 1…5 (stride 2^i), and layer 6 (the 1×1 head)."""
        return (self.stem, *(rows[-1].channels for rows in self.layers()), self.head)


@dataclass(frozen=True)
class Scale:
    """The three multipliers of a network: width and depth as factors, resolution in pixels."""

    width: float
    depth: float
    resolution: int
    dropout: float = 0.2


def round_filters(filters: float, width: float = 1.0, *, limit: float = 0.9) -> int:
    """Scale a channel count and round it to a multiple of 8, at least `limit` of the exact value.

    Source: google/automl `efficientnet_model.py: round_filters`; V2-B0…B3 have limit 0.
    """
    exact = filters * width
    rounded = max(8, int(exact + 4) // 8 * 8)
    return rounded + 8 if rounded < limit * exact else rounded


def round_repeats(repeats: int, depth: float = 1.0) -> int:
    """Scale the number of a row's blocks, rounding up."""
    return math.ceil(repeats * depth)


def compound(phi: float, alpha: float = ALPHA, beta: float = BETA, gamma: float = GAMMA) -> Scale:
    """Compound scaling (EfficientNet paper, equation 3) for any φ, between published rows too.

    Returns width β^φ, depth α^φ, and the resolution 224·γ^φ in pixels, rounded. A detector of φ is
    `compound_detector`'s.

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


# Unscaled networks; the families below are width and depth multiples of them.
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

# name → (base, scale). The published rows were rounded by hand: they are not powers of one φ.
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
    """Multiply a base's channels and repeats.

    Lite keeps the stem's and the head's channels and the first and the last row's repeats
    (google/automl `lite/efficientnet_lite_builder.py`), so that small devices pay less for scale.
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
    """Resolve what `EfficientNet(arch=…)` accepts.

    Args:
        arch: A published name ('b0' … 'v2_b3'); `dict(phi=1.5)`, optionally with `base` and
            alpha, beta, gamma; or `dict(base='b0', width=1.3, depth=1.7)`, optionally with
            `resolution` and `dropout`.

    Raises:
        ValueError: The name or a key is unknown, or a number is out of range.
    """
    if isinstance(arch, str):
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
        raise ValueError(f'arch as a dict knows {("base", *known)}, got also {unknown}')


@dataclass(frozen=True)
class Detector:
    """The sizes of an EfficientDet; its levels are P3 (stride 8), P4, and so on."""

    arch: str | Mapping[str, float | str]  # the backbone, as `architecture` takes it
    image_size: int  # pixels of each side of the published evaluation
    channels: int  # of BiFPN and heads
    cells: int  # repetitions of BiFPN
    repeats: int  # convolutions in each head before the prediction
    fusion: str = 'fast'  # 'fast' or 'sum'
    anchor_scale: int = 4  # side of the smallest square anchor, in strides
    levels: int = 5

    def strides(self) -> tuple[int, ...]:
        """Pixels of the image from one cell of each level to the next."""
        return tuple(8 << level for level in range(self.levels))

    def model(self) -> dict[str, Any]:
        """What these sizes decide in the `model` of a config (`_base_/models/efficientdet.py`)."""
        backbone = architecture(self.arch)
        act_cfg = dict(type={'silu': 'SiLU', 'relu6': 'ReLU6'}[backbone.act], inplace=True)
        return dict(
            backbone=dict(arch=self.arch),
            neck=dict(
                in_channels=list(backbone.channels()[3:6]),
                out_channels=self.channels,
                num_outs=self.levels,
                num_cells=self.cells,
                fusion=self.fusion,
                act_cfg=act_cfg,
            ),
            bbox_head=dict(
                in_channels=self.channels,
                stacked_convs=self.repeats,
                act_cfg=act_cfg,
                anchor_generator=dict(
                    strides=list(self.strides()), octave_base_scale=self.anchor_scale
                ),
            ),
        )


# Columns: arch, image_size, channels, cells, repeats. The sum has no weights where they made
# training unstable (D6 and larger) or int8 networks slow (Lite).
DETECTORS: dict[str, Detector] = {
    'd0': Detector('b0', 512, 64, 3, 3),
    'd1': Detector('b1', 640, 88, 4, 3),
    'd2': Detector('b2', 768, 112, 5, 3),
    'd3': Detector('b3', 896, 160, 6, 4),
    'd4': Detector('b4', 1024, 224, 7, 4),
    'd5': Detector('b5', 1280, 288, 7, 4),
    'd6': Detector('b6', 1280, 384, 8, 5, 'sum'),
    'd7': Detector('b6', 1536, 384, 8, 5, 'sum', anchor_scale=5),
    'd7x': Detector('b7', 1536, 384, 8, 5, 'sum', levels=6),
    'lite0': Detector('lite0', 320, 64, 3, 3, 'sum', anchor_scale=3),
    'lite1': Detector('lite1', 384, 88, 4, 3, 'sum', anchor_scale=3),
    'lite2': Detector('lite2', 448, 112, 5, 3, 'sum', anchor_scale=3),
    'lite3': Detector('lite3', 512, 160, 6, 4, 'sum'),
    'lite3x': Detector('lite3', 640, 200, 6, 4, 'sum', anchor_scale=3),
    'lite4': Detector('lite4', 640, 224, 7, 4, 'sum'),
}


def detector(name: str) -> Detector:
    """The sizes of a published detector, 'd0' … 'd7x' or 'lite0' … 'lite4'.

    Raises:
        ValueError: The name is unknown.
    """
    if name not in DETECTORS:
        raise ValueError(f'a detector is one of {", ".join(DETECTORS)}; got {name!r}')
    return DETECTORS[name]


def compound_detector(phi: float) -> Detector:
    """Compound scaling of detectors for any φ from 0 to 7, between published rows too.

    BiFPN has 64·1.35^φ channels, to the nearest 8, and 3 + φ cells (EfficientDet, equation 1), the
    heads repeat 3 + ⌊φ/3⌋ times (equation 2), an image has 512 + 128·φ pixels, to the nearest 128
    (equation 3). The backbone is the published B_φ, or lies on the straight line between two of
    them: that of `compound(φ)` overshoots, at φ = 1.5 it is larger than B2.

    The published rows were rounded by hand. They have other channels in D2 (112, not 120) and D4
    (224, not 216), fewer cells from D5 on (7, 8 and 8, not 8, 9 and 10), a larger image in D5
    (1280, not 1152), and D7 is D6 with an image of 1536 pixels and larger anchors.

    Raises:
        ValueError: φ is not a number from 0 to 7.
    """
    if isinstance(phi, bool) or not isinstance(phi, int | float) or not 0 <= phi <= 7:
        raise ValueError(f'phi must be a number from 0 to 7, got {phi!r}')
    nearest = math.floor(phi + 0.5)
    return Detector(
        _backbone_between(phi),
        image_size=512 + 128 * nearest,
        channels=round_filters(64, 1.35**phi),
        cells=3 + nearest,
        repeats=3 + math.floor(phi / 3),
        fusion='fast' if phi < 6 else 'sum',
    )


def _backbone_between(phi: float) -> str | dict[str, float | str]:
    below = math.floor(phi)
    share = phi - below
    if not share:
        return f'b{below}'
    low, high = FAMILIES[f'b{below}'][1], FAMILIES[f'b{below + 1}'][1]
    return dict(
        base='b0',
        width=round(low.width + share * (high.width - low.width), 4),
        depth=round(low.depth + share * (high.depth - low.depth), 4),
    )
