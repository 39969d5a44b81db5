"""The two blocks of the family, built from a row of the table.

Letters: N images, C channels, H × W pixels, s the block's stride.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from effnet_dense.lean.segments import run
from effnet_dense.models.layers import Config, ConvNormAct, SqueezeExcite
from effnet_dense.scaling import BlockRow

# ConvNormAct with the network's padding and norm_cfg filled in.
Brick = Callable[..., ConvNormAct]


def squeeze_excite(
    channels: int, in_channels: int, row: BlockRow, act_cfg: Config
) -> SqueezeExcite | None:
    """The row's attention over `channels`, squeezed to a share of the block's input channels."""
    if not row.se:
        return None
    return SqueezeExcite(channels, max(1, int(in_channels * row.se)), act_cfg)


class Residual(nn.Module):
    """Adds a block's input to its output where the shapes agree, with drop path in training.

    `lean` is that of `EfficientNet`.
    """

    def __init__(
        self, in_channels: int, row: BlockRow, stride: int, drop_path: float, lean: int
    ) -> None:
        super().__init__()
        self.lean = lean
        self.has_shortcut = row.shortcut and stride == 1 and in_channels == row.channels
        self.drop_path = StochasticDepth(drop_path, mode='row') if drop_path else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) → (N, C_out, H ÷ s, W ÷ s)."""
        out = self.body(x)
        return x + self.drop_path(out) if self.has_shortcut else out

    def body(self, x: Tensor) -> Tensor:
        """The block without its shortcut, of the same shapes."""
        raise NotImplementedError


class MBConv(Residual):
    """Inverted residual with a linear bottleneck (MobileNetV2, EfficientNet figure 1 of MnasNet).

    1×1 expansion → k×k depthwise → squeeze-and-excitation → 1×1 projection without activation.
    """

    def __init__(
        self,
        in_channels: int,
        row: BlockRow,
        stride: int,
        *,
        brick: Brick,
        act_cfg: Config,
        dilation: int = 1,
        drop_path: float = 0.0,
        lean: int = 0,
    ) -> None:
        super().__init__(in_channels, row, stride, drop_path, lean)
        hidden = in_channels * row.expand
        self.expand_conv = brick(in_channels, hidden, act_cfg=act_cfg) if row.expand != 1 else None
        self.depthwise_conv = brick(
            hidden, hidden, row.kernel, stride, dilation=dilation, groups=hidden, act_cfg=act_cfg
        )
        self.se = squeeze_excite(hidden, in_channels, row, act_cfg)
        self.linear_conv = brick(hidden, row.channels)

    def body(self, x: Tensor) -> Tensor:
        bricks = (self.expand_conv, self.depthwise_conv, self.se, self.linear_conv)
        return run(self.lean, bricks, x)


class FusedMBConv(Residual):
    """MBConv whose expansion and depthwise convolution are one k×k convolution (EfficientNetV2).

    The stride is in the k×k convolution, as in google/automl and timm. With expansion 1 there is
    no projection: the k×k convolution and its activation are the block.
    """

    def __init__(
        self,
        in_channels: int,
        row: BlockRow,
        stride: int,
        *,
        brick: Brick,
        act_cfg: Config,
        dilation: int = 1,
        drop_path: float = 0.0,
        lean: int = 0,
        expand_from: int | None = None,
    ) -> None:
        super().__init__(in_channels, row, stride, drop_path, lean)
        expands = row.expand != 1
        hidden = (expand_from or in_channels) * row.expand if expands else row.channels
        self.conv1 = brick(
            in_channels, hidden, row.kernel, stride, dilation=dilation, act_cfg=act_cfg
        )
        self.se = squeeze_excite(hidden, in_channels, row, act_cfg)
        self.conv2 = brick(hidden, row.channels) if expands else None

    def body(self, x: Tensor) -> Tensor:
        return run(self.lean, (self.conv1, self.se, self.conv2), x)
