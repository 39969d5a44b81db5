"""Channels that a neck or a head expects against those that a backbone returns."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

from effnet_dense.engine.checks.channels import check_channels
from effnet_dense.models import EfficientNet


def model(**parts: Any) -> Any:
    """A B0's features (40, 112, 320) and parts that need not compute."""
    return SimpleNamespace(backbone=EfficientNet('b0', out_indices=(3, 4, 5)), **parts)


def head(in_channels: Any, in_index: Any, input_transform: str | None = None) -> Any:
    """The attributes of mmseg's BaseDecodeHead."""
    return SimpleNamespace(
        in_channels=in_channels, in_index=in_index, input_transform=input_transform
    )


def test_a_neck() -> None:
    check_channels(model(neck=SimpleNamespace(in_channels=(40, 112, 320))))
    check_channels(model(neck=SimpleNamespace()))
    check_channels(model(neck=SimpleNamespace(in_channels=[320, 112, 40])))  # mmdet's YOLOV3Neck
    check_channels(model(neck=SimpleNamespace(in_channels=64)))  # mmdet's CTResNetNeck
    with pytest.raises(ValueError, match=r'neck\.in_channels is \[48, 136, 384\].*\[40, 112, 320'):
        check_channels(model(neck=SimpleNamespace(in_channels=[48, 136, 384])))


def test_heads_of_a_segmentor() -> None:
    check_channels(
        model(
            decode_head=head([40, 320], [0, 2], 'multiple_select'),
            auxiliary_head=head(112, 1),
        )
    )
    check_channels(model(decode_head=head(40 + 112 + 320, [0, 1, 2], 'resize_concat')))
    check_channels(model(decode_head=head(320, -1)))
    with pytest.raises(ValueError, match=r'auxiliary_head\.in_channels is \[111\].*\[112\]'):
        check_channels(model(decode_head=head(320, 2), auxiliary_head=head(111, 1)))
    with pytest.raises(ValueError, match=r'in_index=3, but the backbone gives 3 features'):
        check_channels(model(decode_head=head(320, 3)))


def test_heads_after_a_neck() -> None:
    neck = SimpleNamespace(in_channels=[40, 112, 320], out_channels=64, num_outs=5)
    check_channels(model(neck=neck, decode_head=head(64, 0), auxiliary_head=head(64, 4)))
    with pytest.raises(
        ValueError, match=r'decode_head\.in_channels is \[40\].*the neck gives \[64'
    ):
        check_channels(model(neck=neck, decode_head=head(40, 0)))
    with pytest.raises(ValueError, match=r'in_index=5, but the neck gives 5 features'):
        check_channels(model(neck=neck, decode_head=head(64, 5)))
    check_channels(model(neck=SimpleNamespace(in_channels=64), decode_head=head(40, 9)))


def test_another_backbone_is_not_looked_at() -> None:
    other = SimpleNamespace(backbone=nn.Identity(), neck=SimpleNamespace(in_channels=[1]))
    check_channels(other)  # type: ignore[arg-type]
