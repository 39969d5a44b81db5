"""Launches of the norm's Triton kernels, as operators of PyTorch.

Each operator reads every feature among its inputs once, and writes every result once.

Shapes: N images, C channels, H × W pixels.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, library

from effnet_dense.ops.depthwise import Padding

TILE = 2048  # values that a program holds of a feature
PROGRAMS = 2048  # as many as a large GPU runs at once
PARTIAL_BLOCKS = dict(BLOCK_R=64, BLOCK_C=16)  # rows and channels of partial results

Strides = tuple[int, int, int]  # from one image, pixel and channel to the next


class _Plan(NamedTuple):
    """How programs divide a feature.

    Attributes:
        pixels: Of an image.
        share: Pixels of a program, of BLOCK_P at a time.
        splits: Shares of an image.
        blocks: BLOCK_P and BLOCK_C.
        grid: Programs along channels, shares and images.
    """

    pixels: int
    share: int
    splits: int
    blocks: dict[str, int]
    grid: tuple[int, int, int]


@lru_cache(1024)
def _plan(images: int, channels: int, pixels: int, by_channels: bool) -> _Plan:
    if by_channels:
        block_c = min(64, _power_of_two(channels))
        block_p = min(TILE // block_c, _power_of_two(pixels))
    else:
        block_p = min(TILE // 2, _power_of_two(pixels))
        block_c = min(TILE // block_p, _power_of_two(channels))
    columns, tiles = -(-channels // block_c), -(-pixels // block_p)
    wanted = min(tiles, max(1, PROGRAMS // (images * columns)))
    share = -(-tiles // wanted) * block_p
    splits = -(-pixels // share)
    blocks = dict(BLOCK_P=block_p, BLOCK_C=block_c)
    return _Plan(pixels, share, splits, blocks, (columns, splits, images))


def _power_of_two(number: int) -> int:
    """Return the least power of two that is not smaller."""
    return 1 << (number - 1).bit_length()


def padded_shape(x: Tensor, padding: Padding | None) -> tuple[int, ...]:
    """Return the shape of (N, C, H, W) with zeros around it."""
    if padding is None:
        return tuple(x.shape)
    (top, bottom), (left, right) = padding
    images, channels, height, width = x.shape
    return images, channels, height + top + bottom, width + left + right


def _plan_for(x: Tensor) -> _Plan:
    images, channels, height, width = x.shape
    return _plan(images, channels, height * width, x.stride(1) == 1)


def _strides(x: Tensor) -> Strides | None:
    """Return the strides of (N, C, H, W) as images of pixels; None if rows have gaps."""
    image, channel, row, column = x.stride()
    if x.shape[3] == 1:
        return image, row, channel
    return (image, column, channel) if x.shape[2] == 1 or row == x.shape[3] * column else None


def _strided(x: Tensor) -> tuple[Tensor, Strides]:
    """Return a tensor whose rows have no gaps, a copy if needed, and its strides."""
    strides = _strides(x)
    if strides is None:
        x = x.contiguous(memory_format=torch.channels_last)
        strides = x.stride(0), x.stride(3), x.stride(1)
    return x, strides


def _launch(name: str, grid: tuple[int, ...], constants: dict[str, Any], *arguments: Any) -> None:
    """Run a kernel on the device of its first argument."""
    from effnet_dense.ops import triton_norm_kernels

    with torch.cuda.device_of(arguments[0]):
        getattr(triton_norm_kernels, name)[grid](*arguments, **constants)


def _statistics(
    x: Tensor, running_mean: Tensor, running_var: Tensor, momentum: float, eps: float
) -> tuple[Tensor, Tensor]:
    plan, channels = _plan_for(x), x.shape[1]
    rows = x.shape[0] * plan.splits
    partial = x.new_empty((2, rows, channels), dtype=torch.float32)
    sizes = plan.pixels, channels, rows, plan.share
    _launch('moments', plan.grid, plan.blocks, x, partial, *sizes, *_strided(x)[1])
    mean, inverse = (x.new_empty(channels, dtype=torch.float32) for _ in range(2))
    results = running_mean, running_var, mean, inverse
    grid = (-(-channels // PARTIAL_BLOCKS['BLOCK_C']),)
    numbers = *sizes, plan.splits, momentum, eps
    _launch('statistics', grid, PARTIAL_BLOCKS, partial, *results, *numbers)
    return mean, inverse


def _empty(x: Tensor, *rest: Any) -> Tensor:
    """Return memory for the activated feature, in x's format."""
    padding = rest[-1]
    if padding is None:
        return torch.empty_like(x)
    by_channels = x.is_contiguous(memory_format=torch.channels_last)
    memory_format = torch.channels_last if by_channels else torch.contiguous_format
    shape = padded_shape(x, _pairs(padding))
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=memory_format)


def _pairs(padding: list[int]) -> Padding:
    top, bottom, left, right = padding
    return (top, bottom), (left, right)


def _margins(x: Tensor, padding: list[int] | None) -> tuple[int, int, int, int]:
    """Return the width of x, that of the padded image, and the zeros above and to the left."""
    width = x.shape[3]
    if padding is None:
        return width, width, 0, 0
    top, _, left, right = padding
    return width, left + width + right, top, left


def _norm_act(x: Tensor, *rest: Any) -> Tensor:
    *parts, act, gate, padding = rest
    gate = None if gate is None else gate.contiguous()
    out = _empty(x, padding)
    plan = _plan_for(out)
    sizes = plan.pixels, x.shape[1], plan.share, x.shape[2], *_margins(x, padding)
    flags = dict(GATED=gate is not None, PADDED=padding is not None)
    constants = dict(ACT=act, **flags, **plan.blocks)
    strides = *_strided(x)[1], *_strided(out)[1]
    _launch('activate', plan.grid, constants, x, *parts, gate, out, *sizes, *strides)
    return out


def _means(x: Tensor, *rest: Any) -> Tensor:
    *parts, act = rest
    plan, (images, channels) = _plan_for(x), x.shape[:2]
    partial = x.new_empty((images, plan.splits, channels), dtype=torch.float32)
    sizes = plan.pixels, channels, plan.share
    constants = dict(ACT=act, **plan.blocks)
    _launch('activation_sums', plan.grid, constants, x, *parts, partial, *sizes, *_strided(x)[1])
    return (partial.sum(1) / plan.pixels).to(x.dtype)[:, :, None, None]


def _sums(gradient: Tensor, x: Tensor, *rest: Any) -> Tensor:
    *parts, act, gated, padding = rest
    plan, (images, channels) = _plan_for(x), x.shape[:2]
    gradient, strides = _strided(gradient)
    rows, kinds = images * plan.splits, 5 if gated else 2
    partial = x.new_empty((kinds, rows, channels), dtype=torch.float32)
    constants = dict(ACT=act, GATED=gated, PADDED=padding is not None, **plan.blocks)
    sizes = plan.pixels, channels, rows, plan.share, *_margins(x, padding)
    numbers = *sizes, *strides, *_strided(x)[1]
    _launch('gradient_sums', plan.grid, constants, gradient, x, *parts, partial, *numbers)
    return partial.view(kinds, images, -1, channels).sum(2) if gated else partial.sum(1)


def _input_gradient(gradient: Tensor, x: Tensor, *rest: Any) -> None:
    *parts, sums, gate, shift, to_x, act, padding = rest
    plan, channels = _plan_for(x), x.shape[1]
    gradient, from_gradient = _strided(gradient)
    flags = dict(GATED=gate is not None, PADDED=padding is not None)
    constants = dict(ACT=act, **flags, **plan.blocks)
    features = gradient, x, *parts, sums, gate, shift, to_x
    count = float(x.numel() // channels)
    sizes = plan.pixels, channels, plan.share, count, *_margins(x, padding)
    strides = *from_gradient, *_strided(x)[1], *_strided(to_x)[1]
    _launch('input_gradient', plan.grid, constants, *features, *sizes, *strides)


def _define(name: str, schema: str, kernel: Any, fake: Any) -> None:
    name = f'effnet_dense::triton_norm_{name}'
    library.define(name, schema)
    library.impl(name, 'cuda', kernel)
    library.register_fake(name, fake)


def _fake_sums(gradient: Tensor, x: Tensor, *rest: Any) -> Tensor:
    shape = (5, *x.shape[:2]) if rest[-2] else (2, x.shape[1])
    return x.new_empty(shape, dtype=torch.float32)


def _fake_statistics(x: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    mean, inverse = (x.new_empty(x.shape[1], dtype=torch.float32) for _ in range(2))
    return mean, inverse


PARTS = 'Tensor mean, Tensor inverse, Tensor weight, Tensor bias'
_define(
    'statistics',
    '(Tensor x, Tensor(a!) running_mean, Tensor(b!) running_var, float momentum, float eps)'
    ' -> (Tensor, Tensor)',
    _statistics,
    _fake_statistics,
)
_define(
    'act',
    f'(Tensor x, {PARTS}, str act, Tensor? gate, int[]? padding) -> Tensor',
    _norm_act,
    _empty,
)
_define(
    'means',
    f'(Tensor x, {PARTS}, str act) -> Tensor',
    _means,
    lambda x, *_: x.new_empty((*x.shape[:2], 1, 1)),
)
_define(
    'sums',
    f'(Tensor gradient, Tensor x, {PARTS}, str act, bool gated, int[]? padding) -> Tensor',
    _sums,
    _fake_sums,
)
_define(
    'input_gradient',
    f'(Tensor gradient, Tensor x, {PARTS}, Tensor sums, Tensor? gate, Tensor? shift,'
    ' Tensor(a!) to_x, str act, int[]? padding) -> ()',
    _input_gradient,
    lambda *_: None,
)
