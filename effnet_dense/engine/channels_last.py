"""The memory format in which convolutions mostly run fastest: channels beside each other."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from effnet_dense.registry import HOOKS
from effnet_dense.utils.wrappers import unwrap_model


def use_channels_last(model: nn.Module) -> None:
    """Put a model's weights, and what its backbone is given, into channels-last format.

    Results stay the same but for rounding; everything after the backbone keeps its format. In
    front of DDP, whose buckets are laid out as the weights are when it wraps them.

    Args:
        model: A backbone, or a detector, segmentor or classifier with a `backbone`.
    """
    model.to(memory_format=torch.channels_last)
    backbone = getattr(model, 'backbone', model)
    backbone.register_forward_pre_hook(_input_channels_last)


def _input_channels_last(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Reformat pictures (N, 3, H, W)."""
    return tuple(
        x.contiguous(memory_format=torch.channels_last)
        if isinstance(x, Tensor) and x.dim() == 4
        else x
        for x in inputs
    )


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """`use_channels_last` for runs of mmdet's and mmseg's own tools.

    Ours have `--channels-last`, in a config `channels_last = True`, which also reaches the model
    before DDP does.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Reformat the model; the optimizer's states are made after it."""
        use_channels_last(unwrap_model(runner.model))
