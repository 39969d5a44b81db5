"""Image classifier: the network whose training gave the backbones' published weights."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from effnet_dense.models.activations import Config
from effnet_dense.models.efficientnet import HEAD, EfficientNet
from effnet_dense.models.layers import DEFAULT_NORM
from effnet_dense.registry import MODELS


@MODELS.register_module()
class EfficientNetClassifier(BaseModule):
    """Backbone, global average pool, dropout, one linear layer.

    Args:
        arch: As in `EfficientNet`.
        num_classes: Number of logits.
        padding: 'same' or 'symmetric'; it must match the weights.
        norm_cfg: The normalisation; its eps must match the weights.
    """

    def __init__(
        self,
        arch: str | Mapping[str, Any] = 'b0',
        num_classes: int = 1000,
        padding: str = 'same',
        norm_cfg: Config = DEFAULT_NORM,
    ) -> None:
        super().__init__()
        if isinstance(num_classes, bool) or not isinstance(num_classes, int) or num_classes < 1:
            raise ValueError(f'num_classes must be a positive integer, got {num_classes!r}')
        self.backbone = EfficientNet(arch, out_indices=(HEAD,), padding=padding, norm_cfg=norm_cfg)
        architecture = self.backbone.architecture
        fc = nn.Linear(architecture.head, num_classes)
        # Google's initialisation of the last layer: uniform, ±1 ÷ √outputs.
        nn.init.uniform_(fc.weight, -(num_classes**-0.5), num_classes**-0.5)
        nn.init.zeros_(fc.bias)
        # mmpretrain's names: head.fc.weight, head.fc.bias.
        self.head = nn.Sequential(
            OrderedDict(
                pool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                dropout=nn.Dropout(architecture.dropout),
                fc=fc,
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Classify normalised images (N, 3, H, W); returns logits (N, num_classes)."""
        return self.head(self.backbone(x)[0])
