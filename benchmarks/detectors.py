"""Compare EfficientDets: images → class logits and box deltas of every level."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import nn

from benchmarks.implementation import OURS, Implementation, Peer, own_label
from effnet_dense.analysis.detector import DetectorNetwork
from effnet_dense.scaling import detector

RETURNS = 'logits of 90 classes and deltas, P3–P7'
MULTIPLE = 128
"""Image sizes must be multiples of it, in pixels: effdet halves them without remainder."""


def ours(name: str, lean: Sequence[int | None], channels_last: bool) -> list[Implementation]:
    """Return our detector at each lean level; None for inference.

    Raises:
        ValueError: The name is unknown.
    """
    detector(name)
    return [
        Implementation(
            OURS,
            own_label(name, level),
            partial(DetectorNetwork, name, level or 0),
            RETURNS,
            channels_last,
        )
        for level in lean
    ]


def check_size(size: int) -> None:
    """Raise a ValueError for an image size that a peer does not support."""
    if size < MULTIPLE or size % MULTIPLE:
        raise ValueError(f'size must be a multiple of {MULTIPLE} for detectors, got {size}')


def peers(size: int) -> list[Peer]:
    """Return the peers that have EfficientDets, for images of size × size pixels."""
    make = partial(_make_effdet, size=size)
    return [Peer('effdet', 'effdet', _find_effdet, make, RETURNS, 'detector')]


def _find_effdet(name: str) -> str | None:
    from effdet.config.model_config import efficientdet_model_param_dict

    peer_name = f'tf_efficientdet_{name}'
    return peer_name if peer_name in efficientdet_model_param_dict else None


def _make_effdet(name: str, size: int) -> nn.Module:
    import effdet

    config = effdet.get_efficientdet_config(name)
    config.image_size = (size, size)
    config.backbone_args['drop_path_rate'] = 0.0
    return effdet.EfficientDet(config, pretrained_backbone=False)
