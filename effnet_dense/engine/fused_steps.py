"""Use torch's fused optimizers on GPUs: one kernel for groups of tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FUSED = ('Adam', 'AdamW', 'SGD', 'Adagrad')
"""Optimizers of torch 2.6 that have a fused form on CUDA."""
CHOICES = ('foreach', 'fused', 'differentiable', 'capturable')
"""Arguments by which a config has chosen a form itself."""


def with_fused_steps(optim_wrapper: Any, device: str) -> Any:
    """Request the fused optimizer in an `optim_wrapper` of a config, which is not changed.

    Args:
        optim_wrapper: A dictionary with `optimizer`; anything else is returned unchanged.
        device: Type of the training's device; others than 'cuda' leave the optimizer as it is.
    """
    optimizer = optim_wrapper.get('optimizer') if isinstance(optim_wrapper, Mapping) else None
    if device != 'cuda' or not isinstance(optimizer, Mapping):
        return optim_wrapper
    if optimizer.get('type') not in FUSED or any(name in optimizer for name in CHOICES):
        return optim_wrapper
    return {**optim_wrapper, 'optimizer': {**optimizer, 'fused': True}}
