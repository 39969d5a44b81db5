"""Activations of the networks, from OpenMMLab configs."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import build_activation_layer
from torch import Tensor, nn

Config = dict[str, Any]


class SiLU(nn.SiLU):
    """PyTorch's SiLU; with `inplace` it is so only where no gradient is recorded.

    Its gradient depends on the input, of which autograd would make a copy before it is overwritten:
    two passes over the feature and one more tensor, to save one.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape, of any."""
        recorded = torch.is_grad_enabled() and x.requires_grad
        return F.silu(x, inplace=self.inplace and not recorded)


def activation(act_cfg: Config) -> nn.Module:
    """Build an activation from an OpenMMLab config.

    mmcv's 'Swish' computes SiLU by three operators; it is built as a SiLU.
    """
    if act_cfg.get('type') in ('SiLU', 'Swish'):
        return SiLU(**{key: value for key, value in act_cfg.items() if key != 'type'})
    return build_activation_layer(act_cfg)


OUT_OF_PLACE = {nn.SiLU: F.silu, SiLU: F.silu, nn.ReLU: F.relu, nn.ReLU6: F.relu6}
"""Functions of activations whose gradient depends on the input alone."""
