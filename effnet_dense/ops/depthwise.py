"""Depthwise convolution by the operators at which oneDNN is fast, forwards and backwards.

On CPUs a padding of one side, as SAME often is, writes a copy of an expanded feature, the largest
tensors that there are: here the kernel gets a row and a column of zeros instead. And oneDNN's
gradient of a kernel is vectorised for three columns that reach one pixel beyond the picture, else
8 times slower in float32 and 100 times in bfloat16 (torch 2.14, AVX-512): here it is computed from
such kernels, a few columns at a time.

Letters: N images, C channels, H × W pixels, H' × W' of the output, k the kernel's size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

KERNELS = (3, 5)
DTYPES = (torch.float32, torch.bfloat16)
WIDTH = 3  # of the kernels whose gradient is fast
Mask = tuple[bool, bool, bool]


@dataclass(frozen=True)
class Side:
    """Of one direction: the kernel's size, the stride, and the zeros before and after the picture.

    `after` is `before`, or one more.
    """

    kernel: int
    stride: int
    before: int
    after: int

    @property
    def lead(self) -> int:
        """Zeros in front of the kernel, with which `after` is the padding of both ends."""
        return self.after - self.before


Sides = tuple[Side, Side]  # rows, columns


def is_quick(x: Tensor, weight: Tensor) -> bool:
    """Whether these are the faster operators: in oneDNN's types on CPUs, for the usual kernels.

    A trace shall hold torch's own, and so shall a graph that torch.compile makes for training: it
    differentiates it by itself.
    """
    if x.device.type != 'cpu' or x.dtype not in DTYPES or torch.jit.is_tracing():
        return False
    if any(size not in KERNELS for size in weight.shape[2:]):
        return False
    if torch.compiler.is_compiling():
        return not torch.is_grad_enabled()
    return torch.backends.mkldnn.is_available() and bool(torch.backends.mkldnn.enabled)


def depthwise(x: Tensor, weight: Tensor, bias: Tensor | None, sides: Sides) -> Tensor:
    """Convolve each channel with a kernel of its own.

    Args:
        x: (N, C, H, W).
        weight: (C, 1, k, k).
        bias: (C,).

    Returns:
        (N, C, H', W').
    """
    if torch.is_grad_enabled():
        return _Depthwise.apply(x, weight, bias, sides)
    return _convolve(x, weight, bias, sides)


def depthwise_gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, sides: Sides, mask: Mask
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Those of `depthwise`'s input, weight and bias, where `mask` asks for them.

    Args:
        gradient: (N, C, H', W'), of the output.
    """
    to_x, to_weight, to_bias = mask
    return (
        _input_gradient(gradient, x, weight, sides) if to_x else None,
        _weight_gradient(gradient, x, weight, sides) if to_weight else None,
        gradient.sum((0, 2, 3)) if to_bias else None,
    )


def parts(columns: Side) -> Iterator[tuple[int, int, list[int]]]:
    """Cut a kernel into narrow ones that reach at most one pixel beyond the picture.

    Output o sees the pixels s·o + d, with s the stride and d from −before on. The narrow kernel
    around pixel s·j sees the same if j = o + shift; where that j does not exist, the pixels that
    are asked for lie beyond the picture.

    Yields:
        The shift, the narrow kernel's width, and which d it is asked for.
    """
    wanted = range(-columns.before, columns.kernel - columns.before)
    yield 0, WIDTH, [d for d in wanted if abs(d) <= 1]
    outer = [d for d in wanted if abs(d) > 1]
    if columns.stride == 1:
        yield from ((d, 1, [d]) for d in outer)
        return
    for shift in sorted({int(d / columns.stride) for d in outer}):
        yield shift, WIDTH, [d for d in outer if int(d / columns.stride) == shift]


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None, sides: Sides) -> Tensor:
    rows, columns = sides
    weight, stride = led(weight, sides), (rows.stride, columns.stride)
    return F.conv2d(x, weight, bias, stride, (rows.after, columns.after), 1, x.shape[1])


def led(weight: Tensor, sides: Sides) -> Tensor:
    """The kernel for which the padding is symmetric: `after` pixels at both ends.

    Args:
        weight: (C, 1, k, k).

    Returns:
        (C, 1, k + lead, k + lead), zeros in front.
    """
    rows, columns = sides
    if not rows.lead and not columns.lead:
        return weight
    return F.pad(weight, (columns.lead, 0, rows.lead, 0))


def _input_gradient(gradient: Tensor, x: Tensor, weight: Tensor, sides: Sides) -> Tensor:
    weight = led(weight, sides)
    return _backward(gradient, x, weight, sides, sides[1].after, (True, False, False))[0]


def _weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor, sides: Sides) -> Tensor:
    rows, columns = sides
    found = {}
    channels, height = weight.shape[0], rows.kernel + rows.lead
    for shift, width, wanted in parts(columns):
        shifted = _shifted(gradient, shift)
        narrow = weight.new_empty((channels, 1, height, width))
        reach = width // 2
        own = _backward(shifted, x, narrow, sides, reach, (False, True, False))[1]
        for d in wanted:
            found[d] = own[:, :, rows.lead :, d - columns.stride * shift + reach]
    return torch.stack([found[d] for d in sorted(found)], -1)


def _shifted(x: Tensor, columns: int) -> Tensor:
    """Move to the right, or with negative `columns` to the left, with zeros after it."""
    if not columns:
        return x
    columns = max(-x.shape[-1], min(columns, x.shape[-1]))
    return F.pad(x, (columns, -columns))


def _backward(
    gradient: Tensor, x: Tensor, weight: Tensor, sides: Sides, across: int, mask: Mask
) -> tuple[Any, ...]:
    """torch's backward pass with a padding of `across` columns."""
    rows, columns = sides
    return torch.ops.aten.convolution_backward(
        *(gradient, x, weight, None, (rows.stride, columns.stride), (rows.after, across), (1, 1)),
        *(False, (0, 0), x.shape[1], mask),
    )


class _Depthwise(Function):
    """`_convolve` with `depthwise_gradients`; it can be differentiated twice."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, sides: Sides) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.sides = sides
        return _convolve(x, weight, bias, sides)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        mask = ctx.needs_input_grad[:3]
        return *depthwise_gradients(gradient, x, weight, ctx.sides, mask), None
