"""Layers that backbones, necks and heads share: SAME padding, convolutions with norm, attention.

Shapes: N images, C channels, H × W pixels, a and b rows and columns of padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from torch import Tensor, nn

from effnet_dense.models.activations import Config, activation
from effnet_dense.ops.depthwise import Padding, depthwise_conv2d
from effnet_dense.utils.modules import is_exactly

PADDINGS = ('same', 'symmetric')

# PyTorch's momentum 0.01 is TensorFlow's 0.99.
DEFAULT_NORM: Config = dict(type='BN', eps=1e-3, momentum=0.01)
DEFAULT_ACT: Config = dict(type='SiLU', inplace=True)


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the zeros before and after an image along one axis, by TensorFlow's SAME rule.

    The output then has ⌈size ÷ stride⌉ pixels; an odd zero goes to the end.
    """
    # By comparison, so that torch.compile gets a number even if the size is symbolic.
    remainder = next(left for left in range(stride) if size % stride == left)
    total = max(kernel - (remainder or stride), 0)
    return total // 2, total - total // 2


def pad_same(x: Tensor, kernel: tuple[int, int], stride: tuple[int, int]) -> Tensor:
    """Pad with zeros by TensorFlow's SAME rule, see `same_padding`.

    Args:
        x: (N, C, H, W).

    Returns:
        (N, C, H + a, W + b).
    """
    (height, width), (down, right) = x.shape[-2:], stride
    return _pad(x, (same_padding(height, kernel[0], down), same_padding(width, kernel[1], right)))


def _pad(x: Tensor, padding: Padding) -> Tensor:
    (top, bottom), (left, right) = padding
    return F.pad(x, (left, right, top, bottom)) if top or bottom or left or right else x


def max_pool(x: Tensor, padding: str = 'same', return_indices: bool = False) -> Any:
    """Halve a feature by 3×3 max-pooling with stride 2; padded pixels are never the maximum.

    Args:
        x: (N, C, H, W).
        padding: 'same' as `pad_same`, or 'symmetric'; they differ where a side is even.
        return_indices: Return PyTorch's indices of the maxima as well.

    Returns:
        (N, C, ⌈H ÷ 2⌉, ⌈W ÷ 2⌉), or two tensors of this shape.
    """
    options: Any = dict(return_indices=return_indices)
    if padding == 'symmetric':
        return F.max_pool2d(x, 3, 2, 1, **options)
    # An even side lacks one pixel at its end, which ceil_mode supplies without a padded copy.
    height, width = x.shape[-2:]
    return F.max_pool2d(x, 3, 2, (height % 2, width % 2), ceil_mode=True, **options)


class Conv2dSame(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding at any input size.

    With stride 2 the padding depends on the input's size: even sizes get one more pixel at the
    bottom and right. google/automl's weights were trained that way.
    """

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns that the kernel covers, including the holes of its dilation."""
        (rows, columns), (down, right) = self.kernel_size, self.dilation
        return down * (rows - 1) + 1, right * (columns - 1) + 1

    def padding_for(self, x: Tensor) -> Padding:
        """Return the zeros around (N, C, H, W): (top, bottom), (left, right)."""
        (height, width), (rows, columns), (down, right) = x.shape[-2:], self.extent, self.stride
        return same_padding(height, rows, down), same_padding(width, columns, right)

    def pad(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) → (N, C_in, H + a, W + b)."""
        return _pad(x, self.padding_for(x))

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve (N, C_in, H, W) to (N, C_out, ⌈H ÷ stride⌉, ⌈W ÷ stride⌉)."""
        return super()._conv_forward(self.pad(x), weight, bias)


class DepthwiseConv2d(Conv2dSame):
    """Depthwise convolution with 'same' or 'symmetric' padding.

    Attributes:
        fixed: Zeros on each side if independent of the input's size, otherwise 0.
    """

    def __init__(
        self, channels: int, kernel: int, stride: int, dilation: int, bias: bool, padding: str
    ) -> None:
        self.fixed = 0 if padding == 'same' and stride > 1 else dilation * (kernel // 2)
        super().__init__(
            *(channels, channels, kernel, stride, self.fixed, dilation), groups=channels, bias=bias
        )

    def padding_for(self, x: Tensor) -> Padding:
        """Return the zeros around (N, C, H, W): (top, bottom), (left, right)."""
        if self.fixed:
            return (self.fixed, self.fixed), (self.fixed, self.fixed)
        return super().padding_for(x)

    def pad(self, x: Tensor) -> Tensor:
        """Add the zeros that are not fixed: (N, C, H, W) → (N, C, H + a, W + b)."""
        return x if self.fixed else super().pad(x)

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve (N, C, H, W) to (N, C, ⌈H ÷ stride⌉, ⌈W ÷ stride⌉)."""
        padding = self.padding_for(x)
        return depthwise_conv2d(x, weight, bias, self.stride, padding, self.dilation)


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
    """Build a convolution with 'same' or 'symmetric' padding.

    With stride 1 and an odd kernel, SAME is dilation · (k // 2) zeros on each side, which needs no
    separate padding.

    Raises:
        ValueError: `padding` is neither 'same' nor 'symmetric'.
    """
    if padding not in PADDINGS:
        raise ValueError(f'padding must be one of {PADDINGS}, got {padding!r}')
    # With three columns and equal padding, PyTorch's own convolution is as fast.
    equal = padding == 'symmetric' or stride == 1
    if 1 < groups == in_channels == out_channels and (kernel > 3 or not equal):
        return DepthwiseConv2d(in_channels, kernel, stride, dilation, bias, padding)
    options: dict[str, Any] = dict(dilation=dilation, groups=groups, bias=bias)
    if padding == 'same' and stride > 1:
        return Conv2dSame(in_channels, out_channels, kernel, stride, **options)
    around = dilation * (kernel // 2)
    return nn.Conv2d(in_channels, out_channels, kernel, stride, around, **options)


def is_pointwise(conv: Any) -> bool:
    """Whether a convolution is a linear layer at each pixel."""
    if not is_exactly(conv, nn.Conv2d) or conv.kernel_size != (1, 1) or conv.stride != (1, 1):
        return False
    return conv.padding == (0, 0) and conv.groups == 1


def _present(module: Any, *names: str | None) -> list[nn.Module]:
    """Look children up by name, which takes a fifth of the time of attributes; skip absent ones."""
    children = module._modules
    return [children[name] for name in names if children.get(name) is not None]


class RunsLayers:
    """Mixin of modules that run layers one after the other; how is for `effnet_dense.lean`."""

    def run_layers(self, layers: Sequence[nn.Module], *inputs: Tensor) -> Tensor:
        """Run layers in order, the first of them on the inputs, (N, C, H, W) each."""
        first, *others = layers
        x = first(*inputs)
        for layer in others:
            x = layer(x)
        return x


class ConvNormAct(RunsLayers, nn.Module):
    """Convolution, normalisation and activation; either of the last two may be absent.

    The norm has mmcv's name in the state dict ('bn' for BN and SyncBN, 'gn' for GN). The
    convolution has a bias if no norm follows, unless `bias` is given.
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
        """The normalisation, whose attribute name depends on its type."""
        return None if self.norm_name is None else getattr(self, self.norm_name)

    def sequence(self) -> list[nn.Module]:
        """The modules in the order in which they run."""
        return _present(self, 'conv', self.norm_name, 'act')

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) → (N, C_out, ⌈H ÷ stride⌉, ⌈W ÷ stride⌉)."""
        return self.run_layers(self.sequence(), x)


class SeparableConv(nn.Module):
    """Depthwise 3×3 and pointwise 1×1 convolution with nothing in between, then an optional norm.

    Used by EfficientDet in BiFPN and in its heads (google/automl `tf2/efficientdet_keras.py`).
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

    def sequence(self) -> list[nn.Module]:
        """The modules in the order in which they run."""
        return _present(self, 'depthwise', 'pointwise', self.norm_name)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) → (N, C_out, H, W)."""
        for module in self.sequence():
            x = module(x)
        return x


class SqueezeExcite(nn.Module):
    """Squeeze-and-excitation (arXiv 1709.01507): channel attention from the channels' means.

    Args:
        channels: Channels of the input and the output.
        squeezed: Channels between the two 1×1 convolutions. EfficientNet derives them from the
            *block's* input, not from the expanded width.
        act_cfg: Activation between the two.
    """

    def __init__(self, channels: int, squeezed: int, act_cfg: Config) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(channels, squeezed, act_cfg=act_cfg)
        self.conv2 = ConvNormAct(squeezed, channels)
        if getattr(self.conv1.act, 'inplace', False):  # autograd would copy the input first
            cast(Any, self.conv1.act).inplace = False

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → the same shape."""
        return x * self.conv2(self.conv1(channel_means(x))).sigmoid()


def channel_means(x: Tensor) -> Tensor:
    """Average over the image: (N, C, H, W) → (N, C, 1, 1)."""
    # Not mean(), whose backward materialises the gradient of every pixel. At least float32: the
    # sum over an image overflows float16.
    total = x.sum((2, 3), keepdim=True, dtype=torch.promote_types(x.dtype, torch.float32))
    return (total / (x.shape[2] * x.shape[3])).to(x.dtype)
