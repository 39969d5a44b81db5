"""Keep weights and features in channels-last memory format, which is faster on most devices."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def use_channels_last(model: nn.Module) -> None:
    """Convert a model's weights, and the inputs of its backbone, to channels-last format.

    Results change by rounding only; modules after the backbone choose their own format. Call it
    before DDP wraps the model: DDP's buckets take the layout that the weights have then.

    Args:
        model: A backbone, or a detector, segmentor or classifier with a `backbone`; changed in
            place.
    """
    model.to(memory_format=torch.channels_last)
    backbone = getattr(model, 'backbone', model)
    backbone.register_forward_pre_hook(_convert_inputs)


def _convert_inputs(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Convert images (N, 3, H, W)."""
    return tuple(
        x.contiguous(memory_format=torch.channels_last)
        if isinstance(x, Tensor) and x.dim() == 4
        else x
        for x in inputs
    )
