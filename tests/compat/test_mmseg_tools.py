"""mmseg's heads build their losses without its own warning; its tools are tested in interop."""

from __future__ import annotations

import warnings

from mmengine.registry import init_default_scope
from mmseg.models.decode_heads import FCNHead
from mmseg.models.losses import CrossEntropyLoss


def test_a_head_is_built_without_warnings() -> None:
    init_default_scope('mmseg')
    losses = [
        dict(type='CrossEntropyLoss', loss_name=f'loss_{name}', avg_non_ignore=True)
        for name in ('a', 'b')
    ]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        head = FCNHead(in_channels=4, channels=4, num_classes=3, loss_decode=losses)
    assert all(isinstance(loss, CrossEntropyLoss) for loss in head.loss_decode)
