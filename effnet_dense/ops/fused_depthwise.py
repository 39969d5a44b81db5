"""Depthwise convolution with what is before and behind it in an MBConv, one operator on CPUs.

(1×1 convolution →) SiLU → depthwise convolution → SiLU (→ attention). Those are an MBConv's largest
features. As operators of their own they read and write them in memory up to
five times; oneDNN's exponential, inside of its convolutions, takes twice as long, and so do its
depthwise kernels. This one is in C++, for machines with a compiler.

Letters: N images, B channels in, C channels out, S of the attention's inside, H × W pixels, H' × W'
of the output, k the kernel's size, G groups of channels.
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
GROUP = 32  # the source's


def grouped(parameter: Tensor) -> Tensor:
    """A convolution's parameter as `fused_depthwise` takes it.

    Args:
        parameter: (C, …).

    Returns:
        (G, …, `GROUP`), zeros behind the last channel.
    """
    missing = -len(parameter) % GROUP
    padded = F.pad(parameter.movedim(0, -1), (0, missing))
    return padded.unflatten(-1, (-1, GROUP)).movedim(-2, 0).contiguous()


def fused_depthwise(
    x: Tensor,
    expansion: Sequence[Tensor],
    kernel: Tensor,
    bias: Tensor,
    attention: Sequence[Tensor],
    channels: int,
    stride: int,
    padding: tuple[int, int, int, int],
    activate: bool,
) -> tuple[Tensor, Tensor]:
    """SiLU(depthwise(SiLU(expand(x)))), weighed or not, in float32 and without gradients.

    Args:
        x: (N, B, H, W), channels-last, or it is copied.
        expansion: Weight (G, B, `GROUP`), see `grouped`, and bias (G, `GROUP`); or none.
        kernel: (G, k, k, `GROUP`), k of `KERNELS`, and `bias` (G, `GROUP`).
        attention: Weights and biases of two linear layers with SiLU between and sigmoid behind
            them: (S, C), (S,), transposed (S, C), (C,); or none.
        channels: C. Without an expansion it is B.
        stride: One of `STRIDES`.
        padding: Pixels of zeros at the top, the bottom, the left and the right, fewer than k each.
        activate: Whether there is a SiLU before the depthwise convolution. An expansion has one.

    Returns:
        (N, C, H', W'), channels-last, and its means before it is weighed, (N, C).

    Raises:
        ValueError: One of them is not as it is said here.
    """
    return torch.ops.effnet_dense.fused_depthwise(
        x, expansion, kernel, bias, attention, channels, stride, padding, activate
    )


def is_available() -> bool:
    """Whether the operator could be compiled."""
    return native.is_compiled(SOURCE)


def _empty(x: Tensor, *given: Any) -> tuple[Tensor, Tensor]:
    """Memory for the results, of inputs that fit: the source reads what it is told to."""
    expansion, kernel, bias, attention, channels, stride, padding, _ = given
    inputs = expansion[0].shape[1] if expansion else channels
    if x.dtype != torch.float32 or x.shape[1] != inputs:
        got = f'{x.shape[1]} in {x.dtype}'
        raise ValueError(f'expected a feature of {inputs} channels in torch.float32, got {got}')
    weights = (*expansion, kernel, bias, *attention)
    if any(w.dtype != torch.float32 or not w.is_contiguous() for w in weights):
        forms = [(w.dtype, w.stride()) for w in weights]
        raise ValueError(f'expected contiguous weights in torch.float32, got {forms}')
    groups = [len(weight) for weight in (*expansion, kernel, bias)]
    if len(groups) not in (2, 4) or set(groups) != {-(-channels // GROUP)}:
        raise ValueError(f'expected weights of {channels} channels, got {groups} groups of {GROUP}')
    shapes = [tuple(weight.shape) for weight in attention]
    matrix = (len(attention[0]), channels) if attention else ()
    if attention and shapes != [matrix, matrix[:1], matrix, matrix[1:]]:
        raise ValueError(f'expected an attention of {channels} channels, got weights of {shapes}')
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


def _run(x: Tensor, *given: Any) -> tuple[Tensor, Tensor]:
    x = x.contiguous(memory_format=torch.channels_last)
    out, means = _empty(x, *given)
    expansion, kernel, bias, attention, _, stride, padding, activate = given
    weights = *(expansion or [None] * 2), kernel, bias, *(attention or [None] * 4)
    addresses = [None if t is None else t.data_ptr() for t in (x, *weights, out, means)]
    sizes = (*x.shape, *out.shape[1:], kernel.shape[1], stride, padding[0], padding[2])
    squeezed = len(attention[0]) if attention else 0
    run = native.function(SOURCE, 'fused_depthwise', pointers=11, sizes=13)
    run(*addresses, *sizes, activate, squeezed)
    return out, means


library.define(
    NAME,
    '(Tensor x, Tensor[] expansion, Tensor kernel, Tensor bias, Tensor[] attention, int channels, '
    'int stride, int[] padding, bool activate) -> (Tensor, Tensor)',
)
library.impl(NAME, 'cpu', _run)
library.register_fake(NAME, _empty)
