"""The hook for mmdet's and mmseg's own tools."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import nn

from effnet_dense.engine import ChannelsLastHook
from effnet_dense.models import EfficientNet
from effnet_dense.registry import HOOKS


def test_converts_the_wrapped_model_before_a_run() -> None:
    hook = HOOKS.build(dict(type='effnet_dense.ChannelsLastHook'))
    assert isinstance(hook, ChannelsLastHook)
    model = nn.Module()
    model.backbone = EfficientNet(dict(width=0.25, depth=0.2))
    hook.before_run(SimpleNamespace(model=nn.DataParallel(model)))  # type: ignore[arg-type]
    (feature, *_) = model.backbone(torch.randn(1, 3, 64, 64))
    assert feature.is_contiguous(memory_format=torch.channels_last)
