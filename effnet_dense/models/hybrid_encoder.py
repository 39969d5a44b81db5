"""RT-DETR's hybrid encoder (Zhao et al. 2023, arXiv:2304.08069, section 4.2), as a neck.

Self-attention within the coarsest level, then fusion of neighbouring levels by convolutions, down
and up. The same function as `RTDetrHybridEncoder` of Hugging Face's transformers with the
projections before and after it.

Shapes: N images, D channels, H and W cells of a level.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmdet.models.layers import DetrTransformerEncoderLayer
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional

from effnet_dense.registry import MODELS

TEMPERATURE = 10_000.0
BLOCKS = 3
"""Re-parameterisable blocks of a fusion."""


def sine_positions(height: int, width: int, channels: int, like: Tensor) -> Tensor:
    """Return sines and cosines of each cell's row and column, in pixels of the level.

    Args:
        height: H.
        width: W.
        channels: D, a multiple of 4.
        like: Its device and dtype are the result's.

    Returns:
        (1, H · W, D): sines and cosines of the row, then of the column.
    """
    quarter = torch.arange(channels // 4, device=like.device) / (channels // 4)
    rates = TEMPERATURE**-quarter
    rows = torch.arange(height, device=like.device)[:, None] * rates
    columns = torch.arange(width, device=like.device)[:, None] * rates
    row = torch.cat([rows.sin(), rows.cos()], 1)[:, None].expand(-1, width, -1)
    column = torch.cat([columns.sin(), columns.cos()], 1)[None].expand(height, -1, -1)
    return torch.cat([row, column], 2).reshape(1, height * width, channels).to(like.dtype)


class RepBlock(BaseModule):
    """A 3×3 and a 1×1 convolution with their norms, summed, then activated (RepVGG's block).

    Args:
        channels: D.
        norm_cfg: Of both convolutions.
        act_cfg: After the sum.
    """

    def __init__(self, channels: int, norm_cfg: Any, act_cfg: Any) -> None:
        super().__init__()
        self.wide = ConvModule(channels, channels, 3, padding=1, norm_cfg=norm_cfg, act_cfg=None)
        self.point = ConvModule(channels, channels, 1, norm_cfg=norm_cfg, act_cfg=None)
        self.act = MODELS.build(act_cfg)

    def forward(self, x: Tensor) -> Tensor:
        """(N, D, H, W) → (N, D, H, W)."""
        result: Tensor = self.act(self.wide(x) + self.point(x))
        return result


class Fusion(BaseModule):
    """Fuse two levels: a branch of blocks beside a 1×1 convolution (a CSP layer).

    Args:
        channels: D.
        expansion: Channels of the branches ÷ D.
        norm_cfg: Of all convolutions.
        act_cfg: Of all convolutions.
    """

    def __init__(self, channels: int, expansion: float, norm_cfg: Any, act_cfg: Any) -> None:
        super().__init__()
        hidden = int(channels * expansion)
        given = dict(norm_cfg=norm_cfg, act_cfg=act_cfg)
        self.main = ConvModule(2 * channels, hidden, 1, **given)
        self.short = ConvModule(2 * channels, hidden, 1, **given)
        self.blocks = nn.Sequential(*(RepBlock(hidden, **given) for _ in range(BLOCKS)))
        same = hidden == channels
        self.out: nn.Module = nn.Identity() if same else ConvModule(hidden, channels, 1, **given)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Two features (N, D, H, W) → (N, D, H, W)."""
        x = torch.cat([first, second], 1)
        result: Tensor = self.out(self.blocks(self.main(x)) + self.short(x))
        return result


@MODELS.register_module()
class HybridEncoder(BaseModule):
    """RT-DETR's encoder as a neck: levels of any channels → as many levels of D channels.

    Args:
        in_channels: Channels of each level, fine to coarse, at strides that double.
        out_channels: D.
        layer_cfg: Of the coarsest level's attention, mmdet's `DetrTransformerEncoderLayer`.
        num_layers: Attention layers of the coarsest level.
        expansion: Channels of a fusion's branches ÷ D.
        norm_cfg: Of all convolutions.
        act_cfg: Of all convolutions within the encoder.
        init_cfg: As in mmengine.

    Raises:
        ValueError: D is no multiple of 4, or there is no level.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        layer_cfg: dict[str, Any],
        num_layers: int = 1,
        expansion: float = 1.0,
        norm_cfg: Any = None,
        act_cfg: Any = None,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg)
        if out_channels % 4 or not in_channels:
            raise ValueError(
                'expected at least one level, and out_channels that are a multiple of 4, got '
                f'in_channels={list(in_channels)}, out_channels={out_channels}'
            )
        norm_cfg = norm_cfg or dict(type='BN', requires_grad=True)
        act_cfg = act_cfg or dict(type='SiLU', inplace=True)
        given = dict(norm_cfg=norm_cfg, act_cfg=act_cfg)
        linear = dict(norm_cfg=norm_cfg, act_cfg=None)
        self.in_channels = tuple(in_channels)
        self.out_channels = out_channels
        self.inputs = nn.ModuleList(ConvModule(c, out_channels, 1, **linear) for c in in_channels)
        self.attention = nn.ModuleList(
            DetrTransformerEncoderLayer(**layer_cfg) for _ in range(num_layers)
        )
        steps = range(len(in_channels) - 1)
        channels = out_channels
        self.laterals = nn.ModuleList(ConvModule(channels, channels, 1, **given) for _ in steps)
        self.downs = nn.ModuleList(
            ConvModule(channels, channels, 3, stride=2, padding=1, **given) for _ in steps
        )
        self.top_down = nn.ModuleList(Fusion(channels, expansion, **given) for _ in steps)
        self.bottom_up = nn.ModuleList(Fusion(channels, expansion, **given) for _ in steps)
        self.outputs = nn.ModuleList(
            ConvModule(channels, channels, 1, **linear) for _ in in_channels
        )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Levels (N, C_l, H_l, W_l), fine to coarse → as many of (N, D, H_l, W_l).

        Raises:
            ValueError: There are more or fewer levels than `in_channels`.
        """
        if len(inputs) != len(self.in_channels):
            raise ValueError(f'expected {len(self.in_channels)} levels, got {len(inputs)}')
        levels = [project(x) for project, x in zip(self.inputs, inputs, strict=True)]
        levels[-1] = self._attend(levels[-1])
        for n, (lateral, fuse) in enumerate(zip(self.laterals, self.top_down, strict=True), 1):
            levels[-n] = lateral(levels[-n])
            finer = levels[-n - 1]
            larger = functional.interpolate(levels[-n], size=finer.shape[2:])
            levels[-n - 1] = fuse(larger, finer)
        for n, (down, fuse) in enumerate(zip(self.downs, self.bottom_up, strict=True)):
            levels[n + 1] = fuse(down(levels[n]), levels[n + 1])
        return tuple(project(x) for project, x in zip(self.outputs, levels, strict=True))

    def _attend(self, x: Tensor) -> Tensor:
        """Self-attention among all cells of a level, (N, D, H, W) → (N, D, H, W)."""
        if not self.attention:
            return x
        height, width = x.shape[2:]
        query = x.flatten(2).transpose(1, 2)
        position = sine_positions(height, width, x.shape[1], query)
        for layer in self.attention:
            query = layer(query, query_pos=position, key_padding_mask=None)
        return query.transpose(1, 2).reshape(x.shape)
