"""EfficientDet's table and compound rule: a name or φ → the detector's sizes.

Sources: EfficientDet (arXiv 1911.09070, section 4, equations 1 to 3, table 1), google/automl's
`efficientdet/hparams_config.py`, effdet `config/model_config.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from effnet_dense.scaling.efficientnet import FAMILIES, architecture, round_filters


@dataclass(frozen=True)
class Detector:
    """The sizes of an EfficientDet, whose levels are P3 (stride 8), P4, and so on."""

    arch: str | Mapping[str, float | str]  # the backbone, as `architecture` accepts it
    image_size: int  # height and width of the published evaluation in pixels
    channels: int  # of BiFPN and heads
    cells: int  # BiFPN layers
    repeats: int  # convolutions in each head before the prediction
    fusion: str = 'fast'  # 'fast' (weighted) or 'sum'
    anchor_scale: int = 4  # side of the smallest square anchor, in strides
    levels: int = 5

    def strides(self) -> tuple[int, ...]:
        """Stride of each level in image pixels."""
        return tuple(8 << level for level in range(self.levels))

    def model(self) -> dict[str, Any]:
        """These sizes as overrides of a config's `model` (`_base_/models/efficientdet.py`)."""
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


# Columns: arch, image_size, channels, cells, repeats. Unweighted sums where the weights made
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
    """Look up a published detector, 'd0' … 'd7x' or 'lite0' … 'lite4'.

    Raises:
        ValueError: The name is unknown.
    """
    if name not in DETECTORS:
        raise ValueError(f'a detector is one of {", ".join(DETECTORS)}; got {name!r}')
    return DETECTORS[name]


def compound_detector(phi: float) -> Detector:
    """Apply compound scaling to detectors; φ from 0 to 7 need not be an integer.

    BiFPN has 64·1.35^φ channels, rounded to a multiple of 8, and 3 + φ cells (EfficientDet,
    equation 1), the heads repeat 3 + ⌊φ/3⌋ times (equation 2), an image has 512 + 128·φ pixels,
    rounded to a multiple of 128 (equation 3). The backbone is the published B_φ, or
    interpolated linearly between two: `compound(φ)` overshoots (at φ = 1.5 it is larger than B2).

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
        _interpolate_backbone(phi),
        image_size=512 + 128 * nearest,
        channels=round_filters(64, 1.35**phi),
        cells=3 + nearest,
        repeats=3 + math.floor(phi / 3),
        fusion='fast' if phi < 6 else 'sum',
    )


def _interpolate_backbone(phi: float) -> str | dict[str, float | str]:
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
