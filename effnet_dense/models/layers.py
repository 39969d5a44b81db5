"""Bricks that backbones, necks and heads share: SAME padding, convolutions and their norms.

Letters: N images, C channels, H × W pixels.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import build_activation_layer, build_norm_layer
from torch import Tensor, nn

from effnet_dense.ops.autocast import as_autocast_does
from effnet_dense.ops.depthwise import Side, Sides, depthwise, is_quick

PADDINGS = ('same', 'symmetric')

Config = dict[str, Any]

# PyTorch's momentum 0.01 is TensorFlow's 0.99.
DEFAULT_NORM: Config = dict(type='BN', eps=1e-3, momentum=0.01)
DEFAULT_ACT: Config = dict(type='SiLU', inplace=True)


def pad_same(x: Tensor, kernel: tuple[int, int], stride: tuple[int, int]) -> Tensor:
    """Pad with zeros as TensorFlow's SAME does, so that the output has ⌈size ÷ stride⌉ pixels.

    Args:
        x: (N, C, H, W).

    Returns:
        (N, C, H + a, W + b), the odd pixel of an odd padding at the bottom and the right.
    """
    height, width = x.shape[-2:]
    rows = _same_total(height, kernel[0], stride[0])
    columns = _same_total(width, kernel[1], stride[1])
    if not rows and not columns:
        return x
    return F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))


def _same_total(size: int, kernel: int, stride: int) -> int:
    # By comparison, so that it is a number for torch.compile, too, where the size is a symbol.
    remainder = next(left for left in range(stride) if size % stride == left)
    return max(kernel - (remainder or stride), 0)


def max_pool(x: Tensor, padding: str = 'same') -> Tensor:
    """Halve a feature by 3×3 max-pooling with stride 2; what is padded is never the maximum.

    Args:
        x: (N, C, H, W).
        padding: 'same' as `pad_same`, or 'symmetric'; they differ where a side is even.

    Returns:
        (N, C, ⌈H ÷ 2⌉, ⌈W ÷ 2⌉).
    """
    if padding == 'symmetric':
        return F.max_pool2d(x, 3, 2, 1)
    # An even side lacks one pixel at its end, which ceil_mode leaves out without a padded copy.
    height, width = x.shape[-2:]
    return F.max_pool2d(x, 3, 2, (height % 2, width % 2), ceil_mode=True)


class Conv2dSame(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding at any input size.

    The padding depends on the input's size where the stride is 2: even sizes get one pixel more
    at the bottom right. That is what the weights of google/automl were trained with.
    """

    def pad(self, x: Tensor) -> Tensor:
        """What the convolution proper works on: (N, C_in, H + a, W + b)."""
        return pad_same(x, self.extent, (self.stride[0], self.stride[1]))

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns that the kernel reaches over, the holes of its dilation included."""
        (rows, columns), (down, right) = self.kernel_size, self.dilation
        return down * (rows - 1) + 1, right * (columns - 1) + 1

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve (N, C_in, H, W) to (N, C_out, ⌈H ÷ stride⌉, ⌈W ÷ stride⌉)."""
        return super()._conv_forward(self.pad(x), weight, bias)


class DepthwiseConv2d(Conv2dSame):
    """A convolution of each channel by itself, with either padding, see `depthwise`.

    Where `is_quick` says no, or the kernel is dilated, it is torch's.
    """

    def __init__(
        self, channels: int, kernel: int, stride: int, dilation: int, bias: bool, padding: str
    ) -> None:
        # 0 where it depends on the picture.
        self.around = 0 if padding == 'same' and stride > 1 else dilation * (kernel // 2)
        super().__init__(
            *(channels, channels, kernel, stride, self.around, dilation), groups=channels, bias=bias
        )

    def pad(self, x: Tensor) -> Tensor:
        """What torch's convolution works on: (N, C, H + a, W + b)."""
        return x if self.around else super().pad(x)

    def sides(self, x: Tensor) -> Sides:
        """What `depthwise` has to know about the rows and the columns of (N, C, H, W)."""
        return self._side(x.shape[2], 0), self._side(x.shape[3], 1)

    def _side(self, size: int, axis: int) -> Side:
        kernel, stride = self.kernel_size[axis], self.stride[axis]
        total = 2 * self.around or _same_total(size, kernel, stride)
        return Side(kernel, stride, total // 2, total - total // 2)

    def is_quick(self, x: Tensor) -> bool:
        """Whether `depthwise` does it, for `x` as autocast makes it."""
        return self.dilation == (1, 1) and is_quick(x, self.weight)

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        cast, kernels, offsets = as_autocast_does(x, weight, bias)
        if self.is_quick(cast):
            return depthwise(cast, kernels, offsets, self.sides(x))
        return super()._conv_forward(x, weight, bias)


def conv2d(
    in_channels: int,
    out_channels: int,
    kernel: int,
    stride: int = 1,
    *,
    dilation: int = 1,
    groups: int = 1,
    bias: bool = False,
    padding: str = 'same',
) -> nn.Conv2d:
    """A convolution with either family's padding.

    With stride 1 and an odd kernel SAME is k // 2 cells of the dilated kernel on each side, which
    needs no padding pass.

    Raises:
        ValueError: `padding` is neither 'same' nor 'symmetric'.
    """
    if padding not in PADDINGS:
        raise ValueError(f'padding must be one of {PADDINGS}, got {padding!r}')
    # torch is as fast itself with three columns and equal ends.
    equal = padding == 'symmetric' or stride == 1
    if 1 < groups == in_channels == out_channels and (kernel > 3 or not equal):
        return DepthwiseConv2d(in_channels, kernel, stride, dilation, bias, padding)
    options: dict[str, Any] = dict(dilation=dilation, groups=groups, bias=bias)
    if padding == 'same' and stride > 1:
        return Conv2dSame(in_channels, out_channels, kernel, stride, **options)
    around = dilation * (kernel // 2)
    return nn.Conv2d(in_channels, out_channels, kernel, stride, around, **options)


def activation(act_cfg: Config) -> nn.Module:
    """An activation from an OpenMMLab config.

    mmcv's 'Swish' is the same function as torch's SiLU in three operators; it is built as SiLU.
    """
    if act_cfg.get('type') == 'Swish':
        act_cfg = {**act_cfg, 'type': 'SiLU'}
    return build_activation_layer(act_cfg)


class ConvNormAct(nn.Module):
    """Convolution, normalisation and activation; either of the last two may be absent.

    The norm's name in the state dict is mmcv's ('bn' for BN and SyncBN, 'gn' for GN). The
    convolution has a bias where no norm follows, or where `bias` says so.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        dilation: int = 1,
        groups: int = 1,
        padding: str = 'same',
        bias: bool | None = None,
        norm_cfg: Config | None = None,
        act_cfg: Config | None = None,
    ) -> None:
        super().__init__()
        self.conv = conv2d(
            in_channels,
            out_channels,
            kernel,
            stride,
            dilation=dilation,
            groups=groups,
            bias=norm_cfg is None if bias is None else bias,
            padding=padding,
        )
        self.norm_name: str | None = None
        if norm_cfg is not None:
            self.norm_name, norm = build_norm_layer(norm_cfg, out_channels)
            self.add_module(self.norm_name, norm)
        self.act = None if act_cfg is None else activation(act_cfg)

    @property
    def norm(self) -> nn.Module | None:
        """The normalisation, under whatever name it is registered."""
        return None if self.norm_name is None else getattr(self, self.norm_name)

    def pieces(self) -> list[nn.Module]:
        """Its modules in the order in which they run."""
        return [piece for piece in (self.conv, self.norm, self.act) if piece is not None]

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) → (N, C_out, H ÷ stride, W ÷ stride)."""
        for piece in self.pieces():
            x = piece(x)
        return x


class SeparableConv(nn.Module):
    """Depthwise 3×3 and pointwise 1×1 convolution, nothing in between; then a norm if asked for.

    As EfficientDet has it in BiFPN and in its heads (google/automl `tf2/efficientdet_keras.py`).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        bias: bool = True,
        padding: str = 'same',
        norm_cfg: Config | None = None,
    ) -> None:
        super().__init__()
        self.depthwise = conv2d(in_channels, in_channels, 3, groups=in_channels, padding=padding)
        self.pointwise = conv2d(in_channels, out_channels, 1, bias=bias)
        self.norm_name: str | None = None
        if norm_cfg is not None:
            self.norm_name, norm = build_norm_layer(norm_cfg, out_channels)
            self.add_module(self.norm_name, norm)

    def pieces(self) -> list[nn.Module]:
        """Its modules in the order in which they run."""
        norm = [] if self.norm_name is None else [getattr(self, self.norm_name)]
        return [self.depthwise, self.pointwise, *norm]

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) → (N, C_out, H, W)."""
        for piece in self.pieces():
            x = piece(x)
        return x


class SqueezeExcite(nn.Module):
    """Channel attention (arXiv 1709.01507): weigh each channel by what the whole picture holds.

    Args:
        channels: Of the input and the output.
        squeezed: Between the two 1×1 convolutions. EfficientNet derives it from the *block's*
            input, not from the expanded width.
        act_cfg: Activation between the two.
    """

    def __init__(self, channels: int, squeezed: int, act_cfg: Config) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(channels, squeezed, act_cfg=act_cfg)
        self.conv2 = ConvNormAct(squeezed, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → the same shape."""
        return x * self.conv2(self.conv1(channel_means(x))).sigmoid()


def channel_means(x: Tensor) -> Tensor:
    """Over the picture: (N, C, H, W) → (N, C, 1, 1)."""
    # Not mean(), whose backward writes the gradient of every pixel down. In float32 at least: the
    # sum over a picture overflows float16.
    total = x.sum((2, 3), keepdim=True, dtype=torch.promote_types(x.dtype, torch.float32))
    return (total / (x.shape[2] * x.shape[3])).to(x.dtype)
