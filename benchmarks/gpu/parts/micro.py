"""The operators of a step, each beside its floor: the bytes that it must move at a copy's speed.

Shapes: N images, C channels, H × W pixels, channels-last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.ceilings import measure_ceilings
from benchmarks.gpu.conditions import Conditions
from benchmarks.gpu.record import Record
from benchmarks.gpu.timing import kernel_ms
from effnet_dense.analysis.settings import MIN_SIZE
from effnet_dense.ops import triton_norm
from effnet_dense.ops.batch_norm import apply_statistics, batch_norm

aten = torch.ops.aten
DTYPE = torch.bfloat16
BATCH = 8
SHAPES = (
    (32, 256, 3, 1),
    (96, 256, 3, 2),
    (144, 128, 5, 2),
    (240, 64, 3, 2),
    (480, 32, 5, 1),
    (1152, 16, 5, 1),
)
"""C, side, kernel and stride of depthwise convolutions of B0 at 512²."""


class Operator(NamedTuple):
    """An operator, and the bytes that it must read and write."""

    name: str
    run: Callable[[], object]
    bytes: int


class Feature(NamedTuple):
    """Operands of a depthwise unit.

    Attributes:
        x: (N, C, H, W).
        gradient: Of the same shape.
        norm: In training.
    """

    x: Tensor
    gradient: Tensor
    norm: Any

    @property
    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and 1 ÷ σ, (C,) each."""
        var, mean = torch.var_mean(self.x.float(), (0, 2, 3), correction=0)
        return mean, (var + self.norm.eps).rsqrt()


def run(conditions: Conditions, record: Record) -> None:
    """Time each operator at each shape."""
    torch.backends.cudnn.benchmark = True
    cuda = not conditions.dry
    settings = conditions.settings(MIN_SIZE, BATCH)
    copy = measure_ceilings(settings, *conditions.pick((None, None), (64, 2**16))).copy_gb
    record.note(f'Floors: bytes at the speed of a copy, {copy:.0f} GB/s; {BATCH} images, bf16.')
    for channels, side, kernel, stride in conditions.pick(SHAPES, SHAPES[1:2]):
        side = conditions.pick(side, 8)
        title = f'C {channels}, {side}², depthwise {kernel} × {kernel}, stride {stride}'
        feature = make_feature(settings.batch, channels, side, conditions.device)
        for operator in (*_norms(feature), *_depthwise(feature, kernel, stride), *_other(feature)):
            try:
                ms = kernel_ms(operator.run, cuda, conditions.device)
            except Exception as error:  # a kernel that does not compile
                record.note(f'{title}, {operator.name}: {type(error).__name__}: {error}')
                continue
            floor = operator.bytes / copy / 1e6
            row = {'ms': ms, 'floor ms': floor, 'ratio': ms / floor}
            record.add(title, operator=operator.name, **row)


def make_feature(batch: int, channels: int, side: int, device: str) -> Feature:
    """Return random operands."""
    x, gradient = (
        torch.randn(batch, channels, side, side, device=device, dtype=DTYPE).contiguous(
            memory_format=torch.channels_last
        )
        for _ in range(2)
    )
    norm = nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01).to(device).train()
    return Feature(x, gradient, norm)


def _norms(feature: Feature) -> Iterator[Operator]:
    x, gradient, norm = feature
    size = x.nbytes
    mean, inverse = feature.statistics
    weight, bias = norm.weight.detach(), norm.bias.detach()
    yield Operator('batch norm, as nn.BatchNorm2d', lambda: batch_norm(x, norm), 3 * size)
    known = weight, bias, mean, inverse
    yield Operator('normalise again', lambda: apply_statistics(x, *known), 2 * size)
    leaf = x.detach().requires_grad_()
    out = norm(leaf)
    leaves = [leaf, norm.weight, norm.bias]
    yield Operator(
        'batch norm, backward',
        lambda: torch.autograd.grad(out, leaves, gradient, retain_graph=True),
        5 * size,
    )
    yield Operator('SiLU', lambda: F.silu(x), 2 * size)
    yield Operator('SiLU, backward', lambda: aten.silu_backward(gradient, x), 3 * size)
    if triton_norm.supports(x, weight, bias):
        yield from _fused(feature)


def _fused(feature: Feature) -> Iterator[Operator]:
    """Yield the Triton kernels: batch norm and SiLU in one."""
    x, gradient, norm = feature
    size = x.nbytes
    mean, inverse = feature.statistics
    weight, bias = norm.weight.detach(), norm.bias.detach()
    parts = mean, inverse, weight, bias
    ops = torch.ops.effnet_dense
    yield Operator('Triton: statistics', lambda: triton_norm.statistics(x, norm), size)
    yield Operator(
        'Triton: normalise and SiLU', lambda: triton_norm.norm_act(x, *parts, 'silu'), 2 * size
    )
    sums = ops.triton_norm_sums(gradient, x, *parts, 'silu', False)
    yield Operator(
        'Triton: backward, sums',
        lambda: ops.triton_norm_sums(gradient, x, *parts, 'silu', False),
        2 * size,
    )
    yield Operator(
        'Triton: backward, gradient',
        lambda: triton_norm.input_gradient(gradient, x, parts, sums, 'silu', False),
        3 * size,
    )


def _depthwise(feature: Feature, kernel: int, stride: int) -> Iterator[Operator]:
    channels, pad = feature.x.shape[1], kernel // 2
    weight = torch.randn(channels, 1, kernel, kernel, device=feature.x.device, dtype=DTYPE)
    for name, x in (('', feature.x), (', NCHW', feature.x.contiguous())):
        out = F.conv2d(x, weight, None, stride, pad, 1, channels)
        gradient, size = torch.randn_like(out), x.nbytes + out.nbytes
        geometry = (None, [stride] * 2, [pad] * 2, [1, 1], False, [0, 0], channels)

        def backward(
            mask: list[bool], operands: Any = (gradient, x, weight), geometry: Any = geometry
        ) -> object:
            return aten.convolution_backward(*operands, *geometry, mask)

        yield Operator(
            f'depthwise{name}',
            lambda x=x: F.conv2d(x, weight, None, stride, pad, 1, channels),
            size,
        )
        yield Operator(
            f'depthwise, to the input{name}',
            lambda run=backward: run([True, False, False]),
            size,
        )
        yield Operator(
            f'depthwise, to the kernel{name}',
            lambda run=backward: run([False, True, False]),
            size,
        )


def _other(feature: Feature) -> Iterator[Operator]:
    x = feature.x
    gate = torch.rand(*x.shape[:2], 1, 1, device=x.device, dtype=x.dtype)
    yield Operator('padding by SAME', lambda: F.pad(x, (0, 1, 0, 1)), 2 * x.nbytes)
    yield Operator('gate', lambda: x * gate, 2 * x.nbytes)
    yield Operator('mean over pixels', lambda: x.mean((2, 3)), x.nbytes)
    if x.is_cuda:
        yield from _synchronised(feature)


def _synchronised(feature: Feature) -> Iterator[Operator]:
    """Yield the arithmetic of SyncBN's backward pass, as one process sees it."""
    x, gradient, norm = feature
    mean, inverse = feature.statistics
    weight = norm.weight.detach()
    yield Operator(
        'SyncBN, backward, sums',
        lambda: torch.batch_norm_backward_reduce(gradient, x, mean, inverse, weight, *[True] * 3),
        2 * x.nbytes,
    )
    sums = torch.randn(2, x.shape[1], device=x.device)
    count = torch.tensor([x.numel() // x.shape[1]], device=x.device, dtype=torch.int32)
    known = mean, inverse, weight, *sums, count
    yield Operator(
        'SyncBN, backward, gradient',
        lambda: torch.batch_norm_backward_elemt(gradient, x, *known),
        3 * x.nbytes,
    )
