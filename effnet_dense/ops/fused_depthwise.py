"""An MBConv up to its projection as one operator on CPUs, for inference.

(1×1 convolution →) SiLU → depthwise convolution → SiLU: an MBConv's largest features.
Separate operators read and write them in memory up to five times; oneDNN's fused exponential takes
twice as long as this operator's, and so do its depthwise kernels. It is compiled from C++ on
machines with a compiler.

Shapes: N images, B channels in, C channels out, H × W pixels, H' × W' pixels of the output, kernel
size k, G groups of channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, library

from effnet_dense.ops import native

KERNELS = (3, 5)
STRIDES = (1, 2)

SOURCE = Path(__file__).with_suffix('.cpp')
NAME = 'effnet_dense::fused_depthwise'
GROUP = 32  # as in the C++ source


def grouped(parameter: Tensor) -> Tensor:
    """Arrange a convolution's parameter in groups of channels for `fused_depthwise`.

    Args:
        parameter: (C, …).

    Returns:
        (G, …, `GROUP`), with zeros after the last channel.
    """
    missing = -len(parameter) % GROUP
    padded = F.pad(parameter.movedim(0, -1), (0, missing))
    return padded.unflatten(-1, (-1, GROUP)).movedim(-2, 0).contiguous()


def fused_depthwise(
    x: Tensor,
    expansion: Sequence[Tensor],
    kernel: Tensor,
    bias: Tensor,
    channels: int,
    stride: int,
    padding: tuple[int, int, int, int],
    activate: bool,
) -> tuple[Tensor, Tensor]:
    """Compute SiLU(depthwise(SiLU(expand(x)))) in float32.

    Gradients are not supported.

    Args:
        x: (N, B, H, W); copied unless channels-last.
        expansion: Weight (G, B, `GROUP`), see `grouped`, and bias (G, `GROUP`); or empty.
        kernel: (G, k, k, `GROUP`), k one of `KERNELS`.
        bias: (G, `GROUP`).
        channels: C. Without an expansion it equals B.
        stride: One of `STRIDES`.
        padding: Zeros at the top, bottom, left and right, fewer than k each.
        activate: Whether a SiLU precedes the depthwise convolution, as after an expansion.

    Returns:
        (N, C, H', W'), channels-last, and its channel means, (N, C).

    Raises:
        ValueError: An argument's dtype, shape or value is not as described here.
    """
    return torch.ops.effnet_dense.fused_depthwise(
        x, expansion, kernel, bias, channels, stride, padding, activate
    )


def is_available() -> bool:
    """Whether the operator could be compiled."""
    return native.is_compiled(SOURCE)


def _allocate(x: Tensor, *arguments: Any) -> tuple[Tensor, Tensor]:
    """Validate the inputs, as the C++ source reads raw memory, and allocate the results."""
    expansion, kernel, bias, channels, stride, padding, _ = arguments
    inputs = expansion[0].shape[1] if expansion else channels
    if x.dtype != torch.float32 or x.shape[1] != inputs:
        got = f'{x.shape[1]} in {x.dtype}'
        raise ValueError(f'expected a feature of {inputs} channels in torch.float32, got {got}')
    weights = (*expansion, kernel, bias)
    if any(w.dtype != torch.float32 or not w.is_contiguous() for w in weights):
        forms = [(w.dtype, w.stride()) for w in weights]
        raise ValueError(f'expected contiguous weights in torch.float32, got {forms}')
    groups = [len(weight) for weight in (*expansion, kernel, bias)]
    if len(groups) not in (2, 4) or set(groups) != {-(-channels // GROUP)}:
        raise ValueError(f'expected weights of {channels} channels, got {groups} groups of {GROUP}')
    size = kernel.shape[1]
    if size not in KERNELS or stride not in STRIDES or max(padding) >= size or min(padding) < 0:
        raise ValueError(
            f'expected a kernel of {KERNELS}, a stride of {STRIDES} and less padding than kernel, '
            f'got {size}, {stride} and {tuple(padding)}'
        )
    images, _, height, width = x.shape
    top, bottom, left, right = padding
    out = torch.empty(
        (
            images,
            channels,
            (height + top + bottom - size) // stride + 1,
            (width + left + right - size) // stride + 1,
        ),
        dtype=x.dtype,
        device=x.device,
        memory_format=torch.channels_last,
    )
    return out, x.new_empty((images, channels))


def _run(x: Tensor, *arguments: Any) -> tuple[Tensor, Tensor]:
    x = x.contiguous(memory_format=torch.channels_last)
    out, means = _allocate(x, *arguments)
    expansion, kernel, bias, _, stride, padding, activate = arguments
    weights = *(expansion or [None] * 2), kernel, bias
    addresses = [None if t is None else t.data_ptr() for t in (x, *weights, out, means)]
    sizes = (*x.shape, *out.shape[1:], kernel.shape[1], stride, padding[0], padding[2])
    run = native.function(SOURCE, 'fused_depthwise', pointers=7, sizes=12)
    run(*addresses, *sizes, activate)
    return out, means


library.define(
    NAME,
    '(Tensor x, Tensor[] expansion, Tensor kernel, Tensor bias, int channels, int stride, '
    ' int[] padding, bool activate) -> (Tensor, Tensor)',
)
library.impl(NAME, 'cpu', _run)
library.register_fake(NAME, _allocate)
