"""Whole EfficientDets: pictures → class logits and box deltas of every level."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from mmengine.registry import init_default_scope
from torch import Tensor, nn

from benchmarks.contender import OURS, Contender, Peer, label
from effnet_dense.models import BiFPN, EfficientDetHead, EfficientNet
from effnet_dense.scaling import Detector, detector

RETURNS = 'logits of 90 classes and deltas, P3–P7'
CLASSES = 90
MULTIPLE = 128  # effdet's levels halve evenly


class WholeDetector(nn.Module):
    """Backbone, BiFPN and heads in a row, without losses and boxes."""

    def __init__(self, sizes: str | Detector, lean: int) -> None:
        super().__init__()
        parts = (detector(sizes) if isinstance(sizes, str) else sizes).model()
        init_default_scope('mmdet')  # for the head's box coder
        options: dict[str, Any] = dict(lean=lean)
        self.backbone = EfficientNet(**parts['backbone'], **options)
        self.neck = BiFPN(**parts['neck'], conv_bias=True, **options)
        head = dict(parts['bbox_head'])
        head['anchor_generator'] = dict(
            type='effnet_dense.EfficientDetAnchorGenerator', **head['anchor_generator']
        )
        self.bbox_head = EfficientDetHead(CLASSES, conv_bias=True, **head, **options)

    def forward(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """(N, 3, H, W) → logits and deltas of each level."""
        return self.bbox_head(self.neck(self.backbone(x)))


def ours(name: str, lean: Sequence[int | None], channels_last: bool) -> list[Contender]:
    """Our detector, with each setting of `lean`; None where nothing is trained.

    Raises:
        ValueError: The name is unknown.
    """
    detector(name)
    return [
        Contender(
            OURS,
            label(name, level),
            partial(WholeDetector, name, level or 0),
            RETURNS,
            channels_last,
        )
        for level in lean
    ]


def check_size(size: int) -> None:
    """Raise a ValueError for what a peer cannot take."""
    if size < MULTIPLE or size % MULTIPLE:
        raise ValueError(f'size must be a multiple of {MULTIPLE} for detectors, got {size}')


def _effdet_member(name: str) -> str | None:
    from effdet.config.model_config import efficientdet_model_param_dict

    member = f'tf_efficientdet_{name}'
    return member if member in efficientdet_model_param_dict else None


def _make_effdet(member: str, size: int) -> nn.Module:
    import effdet

    config = effdet.get_efficientdet_config(member)
    config.image_size = (size, size)
    config.backbone_args['drop_path_rate'] = 0.0
    return effdet.EfficientDet(config, pretrained_backbone=False)


def peers(size: int) -> list[Peer]:
    """Those with whole EfficientDets, for pictures of size × size pixels."""
    return [
        Peer(
            'effdet',
            'effdet',
            _effdet_member,
            partial(_make_effdet, size=size),
            RETURNS,
            'detector',
        ),
    ]
