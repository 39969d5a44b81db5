"""Activations of the networks, from OpenMMLab configs."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import build_activation_layer
from torch import Tensor, nn

Config = dict[str, Any]


class SiLU(nn.SiLU):
    """PyTorch's SiLU, with `inplace` in place only where no gradient is recorded.

    The gradient depends on the input, which autograd would copy before it is overwritten. That
    copy takes as much memory as an output of its own, and another pass over the feature.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Activate a tensor of any shape."""
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
"""Activations as functions that do not change their input."""
