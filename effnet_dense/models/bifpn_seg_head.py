"""BiFPN's segmentation head (EfficientDet, arXiv 1911.09070, section 5.3): level → pixel logits.

Shapes: N images, C classes, H × W pixels of a level, by default P2 of stride 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from effnet_dense.models.acceleration import apply_lean
from effnet_dense.models.activations import Config, activation
from effnet_dense.models.layers import (
    DEFAULT_ACT,
    DEFAULT_NORM,
    RunsLayers,
    SeparableConv,
)
from effnet_dense.registry import MODELS


@MODELS.register_module()
class BiFPNSegHead(RunsLayers, BaseDecodeHead):
    """Separable convolutions on one level of a BiFPN, and a prediction for each of its pixels.

    BiFPN has fused the levels, so the prediction only needs the finest one. With another
    `in_index` it serves as an auxiliary head.

    Args:
        in_channels: Channels of the level: BiFPN's `out_channels`.
        channels: Channels of the convolutions.
        num_classes: C.
        num_convs: Separable convolutions before the prediction, each with a norm and an activation.
        in_index: Index of the neck's level, 0 for the finest.
        padding: 'same' or 'symmetric', which agree at stride 1.
        norm_cfg: Config of all norms.
        act_cfg: Activation after each norm.
        lean: What training saves, as in `EfficientNet`.
        kwargs: Arguments of mmseg's BaseDecodeHead: dropout_ratio, loss_decode (one or a list),
            sampler, ignore_index, align_corners, out_channels and threshold for two classes,
            init_cfg.

    Raises:
        ValueError: `num_convs` is less than 1, or `lean` is not a level of lean training.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        num_classes: int,
        num_convs: int = 3,
        in_index: int = 0,
        padding: str = 'same',
        norm_cfg: Config = DEFAULT_NORM,
        act_cfg: Config = DEFAULT_ACT,
        lean: int = 1,
        **kwargs: Any,
    ) -> None:
        if num_convs < 1:
            raise ValueError(f'num_convs must be at least 1, got {num_convs}')
        super().__init__(
            in_channels,
            channels,
            num_classes=num_classes,
            in_index=in_index,
            norm_cfg=norm_cfg,
            act_cfg=act_cfg,
            **kwargs,
        )
        self.act = activation(act_cfg)
        widths = [in_channels, *[channels] * num_convs]
        self.convs = nn.ModuleList(
            SeparableConv(before, after, bias=False, padding=padding, norm_cfg=norm_cfg)
            for before, after in pairwise(widths)
        )
        apply_lean(self, lean)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Predict on the level at `in_index`.

        Args:
            inputs: The neck's levels, finest first; (N, in_channels, H, W) at `in_index`.

        Returns:
            Logits (N, C, H, W); loss and prediction resize them to the image.
        """
        return self.cls_seg(self._run(self._transform_inputs(inputs)))

    def _run(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → (N, channels, H, W)."""
        return self.run_layers([layer for conv in self.convs for layer in (conv, self.act)], x)
