"""Unwrap models."""

from __future__ import annotations

from typing import Any

from mmengine.model import BaseAveragedModel, BaseTTAModel, is_model_wrapper
from torch import nn


def unwrap_model(model: nn.Module) -> nn.Module:
    """Return the model inside DDP and other distributed wrappers, or the model itself."""
    inner: Any = model
    while is_model_wrapper(inner):
        inner = inner.module
    return inner


def innermost_model(model: nn.Module) -> nn.Module:
    """Like `unwrap_model`; also unwrap averaged (EMA) models and test-time augmentation."""
    inner: Any = unwrap_model(model)
    while isinstance(inner, BaseAveragedModel | BaseTTAModel):
        inner = unwrap_model(inner.module)
    return inner
