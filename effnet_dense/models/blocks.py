"""The two blocks of the family, built from a row of the architecture's table.

Shapes: N images, C channels, H × W pixels, s the block's stride.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from effnet_dense.models.activations import Config
from effnet_dense.models.layers import ConvNormAct, RunsLayers, SqueezeExcite
from effnet_dense.scaling import BlockRow

# ConvNormAct with the network's padding and norm_cfg filled in.
ConvFactory = Callable[..., ConvNormAct]


class MBConv(RunsLayers, nn.Module):
    """Inverted residual with a linear bottleneck (MobileNetV2) and attention (MnasNet, 1807.11626).

    1×1 expansion → k×k depthwise → squeeze-and-excitation → 1×1 projection without activation.
    """

    def __init__(
        self,
        in_channels: int,
        row: BlockRow,
        stride: int,
        *,
        make_conv: ConvFactory,
        act_cfg: Config,
        dilation: int = 1,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        hidden = in_channels * row.expand
        expands = row.expand != 1
        self.expand_conv = (
            make_conv(in_channels, hidden, act_cfg=act_cfg) if expands else nn.Identity()
        )
        self.depthwise_conv = make_conv(
            hidden, hidden, row.kernel, stride, dilation=dilation, groups=hidden, act_cfg=act_cfg
        )
        self.se = squeeze_excite(hidden, in_channels, row, act_cfg)
        self.linear_conv = make_conv(hidden, row.channels)  # the projection, without activation
        self.has_shortcut = row.shortcut and stride == 1 and in_channels == row.channels
        self.drop_path = drop_path_layer(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) → (N, C_out, ⌈H ÷ s⌉, ⌈W ÷ s⌉)."""
        layers = self.expand_conv, self.depthwise_conv, self.se, self.linear_conv
        out = self.run_layers(layers, x)
        return x + self.drop_path(out) if self.has_shortcut else out


class FusedMBConv(RunsLayers, nn.Module):
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
        make_conv: ConvFactory,
        act_cfg: Config,
        dilation: int = 1,
        drop_path: float = 0.0,
        expand_from: int | None = None,
    ) -> None:
        super().__init__()
        expands = row.expand != 1
        hidden = (expand_from or in_channels) * row.expand if expands else row.channels
        self.conv1 = make_conv(
            in_channels, hidden, row.kernel, stride, dilation=dilation, act_cfg=act_cfg
        )
        self.se = squeeze_excite(hidden, in_channels, row, act_cfg)
        self.conv2 = make_conv(hidden, row.channels) if expands else nn.Identity()
        self.has_shortcut = row.shortcut and stride == 1 and in_channels == row.channels
        self.drop_path = drop_path_layer(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) → (N, C_out, ⌈H ÷ s⌉, ⌈W ÷ s⌉)."""
        out = self.run_layers((self.conv1, self.se, self.conv2), x)
        return x + self.drop_path(out) if self.has_shortcut else out


def squeeze_excite(channels: int, in_channels: int, row: BlockRow, act_cfg: Config) -> nn.Module:
    """Build the row's attention over `channels`; its width is a share of the block's input."""
    if not row.se:
        return nn.Identity()
    return SqueezeExcite(channels, max(1, int(in_channels * row.se)), act_cfg)


def drop_path_layer(rate: float) -> nn.Module:
    """Build stochastic depth (arXiv 1603.09382): training skips a sample's block at this rate."""
    return StochasticDepth(rate, mode='row') if rate else nn.Identity()
