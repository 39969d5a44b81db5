"""Depthwise convolution in the forms that oneDNN computes fast, forward and backward.

On CPUs, unequal padding, which SAME often needs, copies an expanded feature, the largest tensor of
a network; here a row and a column of zeros extend the kernel instead. oneDNN's kernel gradient is
vectorised only for kernels of three columns that reach at most one pixel beyond the image;
otherwise it is 8 times slower in float32 and 100 times in bfloat16 (torch 2.14, AVX-512). Here it
is computed with such kernels, a few columns at a time.

Shapes: N images, C channels, H × W pixels, H' × W' pixels of the output, kernel size k.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from effnet_dense.ops.autocast import cast_operands

KERNELS = (3, 5)
DTYPES = (torch.float32, torch.bfloat16)
NARROW = 3  # columns of the kernels whose gradient is fast
# PyTorch 2.6 does not tell an export from torch.compile.
is_exporting = getattr(torch.compiler, 'is_exporting', lambda: False)
Mask = tuple[bool, bool, bool]  # whether the gradients of input, weight and bias are needed
Pair = tuple[int, ...]
Padding = tuple[tuple[int, int], tuple[int, int]]  # (top, bottom), (left, right)


@dataclass(frozen=True)
class AxisGeometry:
    """Along one axis: kernel size, stride, and the zeros before and after the image.

    `after` equals `before`, or is one more.
    """

    kernel: int
    stride: int
    before: int
    after: int

    @property
    def lead(self) -> int:
        """Zeros that extend the kernel at its start, so that both ends are padded by `after`."""
        return self.after - self.before


Geometry = tuple[AxisGeometry, AxisGeometry]  # rows, columns


def depthwise_conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Padding, dilation: Pair
) -> Tensor:
    """Convolve each channel with its own kernel, padded by any number of zeros on each side.

    Args:
        x: (N, C, H, W).
        weight: (C, 1, k, k).
        bias: (C,).
        stride: (rows, columns), like the dilation.
        padding: Zeros ((top, bottom), (left, right)).

    Returns:
        (N, C, H', W').
    """
    cast, kernels, offsets = cast_operands(x, weight, bias)
    geometry = fast_geometry(cast, weight, stride, padding, dilation)
    if geometry is not None:
        return _fast_depthwise(cast, kernels, offsets, geometry)
    (top, bottom), (left, right) = padding
    if (top, left) != (bottom, right):
        x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
    return F.conv2d(x, weight, bias, stride, (top, left), dilation, x.shape[1])


def fast_geometry(
    x: Tensor, weight: Tensor, stride: Pair, padding: Padding, dilation: Pair
) -> Geometry | None:
    """Return the geometry for the fast path, or None if PyTorch's own operator should run.

    The fast path supports `KERNELS` and `DTYPES` on CPUs. Traces contain PyTorch's own operators,
    and so do training graphs, which torch.compile differentiates itself.

    Args:
        x: (N, C, H, W), in the dtype to which autocast casts it.
        weight: (C, 1, k, k).
    """
    if tuple(dilation) != (1, 1) or not _is_fast(x, weight):
        return None
    (top, bottom), (left, right) = padding
    rows, columns = weight.shape[2:]
    return AxisGeometry(rows, stride[0], top, bottom), AxisGeometry(columns, stride[1], left, right)


def _is_fast(x: Tensor, weight: Tensor) -> bool:
    if x.device.type != 'cpu' or x.dtype not in DTYPES or torch.jit.is_tracing():
        return False
    if any(size not in KERNELS for size in weight.shape[2:]):
        return False
    if is_exporting():  # ONNX Runtime takes a padded kernel for a padded feature
        return False
    if torch.compiler.is_compiling():
        return not torch.is_grad_enabled()
    return torch.backends.mkldnn.is_available() and bool(torch.backends.mkldnn.enabled)


def depthwise_gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, geometry: Geometry, mask: Mask
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Compute the gradients of a fast convolution's input, weight and bias, where `mask` is set.

    Args:
        gradient: (N, C, H', W'), the output's.
        x: (N, C, H, W).
        weight: (C, 1, k, k).
    """
    to_x, to_weight, to_bias = mask
    return (
        _input_gradient(gradient, x, weight, geometry) if to_x else None,
        _weight_gradient(gradient, x, weight, geometry) if to_weight else None,
        gradient.sum((0, 2, 3)) if to_bias else None,
    )


def narrow_kernels(columns: AxisGeometry) -> Iterator[tuple[int, int, list[int]]]:
    """Cut a kernel into narrow ones that reach at most one pixel beyond the image.

    Output o reads the pixels s·o + d, with stride s and offsets d from −before. A narrow kernel
    centred on pixel s·j reads the same pixels if j = o + shift; if output j does not exist, these
    pixels lie beyond the image.

    Yields:
        The shift, the narrow kernel's width, and the offsets d that are taken from it.
    """
    offsets = range(-columns.before, columns.kernel - columns.before)
    yield 0, NARROW, [d for d in offsets if abs(d) <= 1]
    outer = [d for d in offsets if abs(d) > 1]
    if columns.stride == 1:
        yield from ((d, 1, [d]) for d in outer)
        return
    for shift in sorted({int(d / columns.stride) for d in outer}):
        yield shift, NARROW, [d for d in outer if int(d / columns.stride) == shift]


def extend_kernel(weight: Tensor, geometry: Geometry) -> Tensor:
    """Extend a kernel by zeros at its start so that padding `after` pixels on both ends fits.

    Args:
        weight: (C, 1, k, k).

    Returns:
        (C, 1, k + lead, k + lead).
    """
    rows, columns = geometry
    if not rows.lead and not columns.lead:
        return weight
    return F.pad(weight, (columns.lead, 0, rows.lead, 0))


class _Depthwise(Function):
    """`_convolve` with `depthwise_gradients`; supports second derivatives."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = geometry
        return _convolve(x, weight, bias, geometry)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        mask = ctx.needs_input_grad[:3]
        return *depthwise_gradients(gradient, x, weight, ctx.geometry, mask), None


def _fast_depthwise(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    if torch.is_grad_enabled():
        return _Depthwise.apply(x, weight, bias, geometry)
    return _convolve(x, weight, bias, geometry)


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    rows, columns = geometry
    weight, stride = extend_kernel(weight, geometry), (rows.stride, columns.stride)
    return F.conv2d(x, weight, bias, stride, (rows.after, columns.after), 1, x.shape[1])


def _input_gradient(gradient: Tensor, x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    weight = extend_kernel(weight, geometry)
    return _backward(gradient, x, weight, geometry, geometry[1].after, (True, False, False))[0]


def _weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    rows, columns = geometry
    by_offset = {}
    channels, height = weight.shape[0], rows.kernel + rows.lead
    for shift, width, offsets in narrow_kernels(columns):
        shifted = _shift(gradient, shift)
        narrow = weight.new_empty((channels, 1, height, width))
        reach = width // 2
        to_narrow = _backward(shifted, x, narrow, geometry, reach, (False, True, False))[1]
        for d in offsets:
            column = d - columns.stride * shift + reach
            by_offset[d] = to_narrow[:, :, rows.lead :, column]
    return torch.stack([by_offset[d] for d in sorted(by_offset)], -1)


def _shift(x: Tensor, columns: int) -> Tensor:
    """Shift to the right, or to the left if `columns` is negative, filling with zeros."""
    if not columns:
        return x
    columns = max(-x.shape[-1], min(columns, x.shape[-1]))
    return F.pad(x, (columns, -columns))


def _backward(
    gradient: Tensor, x: Tensor, weight: Tensor, geometry: Geometry, across: int, mask: Mask
) -> tuple[Any, ...]:
    """Run PyTorch's backward pass with `across` columns of padding on each side."""
    rows, columns = geometry
    return torch.ops.aten.convolution_backward(
        *(gradient, x, weight, None, (rows.stride, columns.stride), (rows.after, across), (1, 1)),
        *(False, (0, 0), x.shape[1], mask),
    )
