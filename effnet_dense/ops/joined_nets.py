"""Two nets of separable convolutions on the levels of a pyramid, as one autograd function.

Small features cost a GPU less than the host needs to start their kernels. Here a depthwise
convolution, a norm or an activation of both nets is one operator on the channels of both, and a 1×1
convolution of all levels is one matrix product. What is saved is what lean training saves at level
1: the outputs of convolutions.

Shapes: N images, C channels of each net and D of its outputs, level l of H_l × W_l cells,
M = Σ N · H_l · W_l rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from effnet_dense.ops.autocast import cast_operands
from effnet_dense.ops.batch_norm import apply_statistics

aten = torch.ops.aten
CONV = 6  # tensors: both nets' depthwise weights, 1×1 weights and their biases
STATISTICS = ('running_mean', 'running_var')
# How each activation runs; and its input's gradient, from the output's and the input.
ACTIVATIONS: dict[str, Any] = {
    'silu': (F.silu, aten.silu_backward.default),
    'relu6': (F.relu6, lambda gradient, x: aten.hardtanh_backward.default(gradient, x, 0.0, 6.0)),
}


class Net(NamedTuple):
    """A net's layers: each repeat is a separable convolution, a norm and the activation.

    Attributes:
        convs: Separable convolutions of the repeats, and the last one: `depthwise` with weight
            (C, 1, 3, 3), `pointwise` with weight (C, C, 1, 1), the last one's (D, C, 1, 1).
        norms: Batch norms of (C,) by repeat and level.
    """

    convs: Sequence[Any]
    norms: Sequence[Sequence[Any]]

    def on_levels(self, levels: Sequence[int]) -> Net:
        """Return the net on some of its levels."""
        rows = [list(row) for row in self.norms]
        return Net(self.convs, [[row[level] for level in levels] for row in rows])


def joined_nets(
    first: Net, second: Net, act: str, features: Sequence[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """Run two nets of the same repeats and channels, and update their norms' running statistics.

    Args:
        first: Its norms are in training, of one momentum and epsilon.
        second: Likewise.
        act: One of `ACTIVATIONS`.
        features: (N, C, H_l, W_l) of each level.

    Returns:
        (N, D, H_l, W_l) of each level by net, in channels-last memory.

    Raises:
        ValueError: A channel of a level has a single value.
    """
    for x in features:
        if x.numel() == x.shape[1]:
            raise ValueError(
                'batch norm in training needs more than one value per channel, got '
                f'{tuple(x.shape)}'
            )
    nets = first, second
    weights: list[Any] = []
    for pair in zip(*(net.convs for net in nets), strict=True):
        weights += [conv.depthwise.weight for conv in pair]
        weights += [conv.pointwise.weight for conv in pair]
        weights += [conv.pointwise.bias for conv in pair]
    norms = [
        pair
        for levels in zip(*(net.norms for net in nets), strict=True)
        for pair in zip(*levels, strict=True)
    ]
    for pair in norms:
        weights += [x for norm in pair for x in (norm.weight, norm.bias)]
    outs = _JoinedNets.apply(norms, act, len(features), *features, *weights)
    return list(outs[: len(features)]), list(outs[len(features) :])


class _JoinedNets(Function):
    @staticmethod
    def forward(ctx: Any, norms: Any, act: str, levels: int, *tensors: Any) -> tuple[Tensor, ...]:
        ctx.norms, ctx.act, ctx.levels = norms, act, levels
        features, rest = cast_operands(*tensors[:levels]), list(tensors[levels:])
        outs, saved = _forward(features, rest, norms, act)
        ctx.has_weight = [x is not None for x in rest]
        ctx.save_for_backward(*features, *saved)
        return outs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        features, saved = ctx.saved_tensors[: ctx.levels], list(ctx.saved_tensors[ctx.levels :])
        found = _backward(gradients, features, saved, ctx.norms, ctx.act)
        used = [
            x if has else None for x, has in zip(found[ctx.levels :], ctx.has_weight, strict=True)
        ]
        return None, None, None, *found[: ctx.levels], *used


def _forward(
    features: Sequence[Tensor], weights: list[Any], norms: Any, act: str
) -> tuple[tuple[Tensor, ...], list[Any]]:
    """Return the levels' outputs by net, and what the backward pass needs."""
    levels, saved = len(features), []
    repeats = len(norms) // levels
    affine = weights[CONV * (repeats + 1) :]
    # A row for each norm of both nets, (2 · C,); views of one tensor each.
    scales, shifts = (torch.cat(half).view(len(norms), -1) for half in (affine[::2], affine[1::2]))
    means, variances = (_joined(norms, name) for name in STATISTICS)
    rows_of_norms = zip(*(x.unbind() for x in (scales, shifts, means, variances)), strict=True)
    inputs = [torch.cat((x, x), 1) for x in features]
    for repeat in range(repeats + 1):
        conv = weights[CONV * repeat : CONV * (repeat + 1)]
        conv = [x if x is None else x.to(inputs[0].dtype) for x in conv]
        depthwise, biases = torch.cat(conv[:2]), conv[4:]
        pointwise = [weight.flatten(1) for weight in conv[2:4]]
        rows = _rows([_depthwise(x, depthwise) for x in inputs])
        halves = rows.chunk(2, 1)
        outs = [F.linear(*each) for each in zip(halves, pointwise, biases, strict=True)]
        saved += [depthwise, *pointwise, rows]
        if repeat == repeats:
            break
        inputs = []
        for x in _levels(torch.cat(outs, 1), features):
            norm = norms[len(inputs) + repeat * levels][0]
            scale, shift, *statistics = next(rows_of_norms)
            options = (*statistics, True, norm.momentum, norm.eps)
            y, mean, inverse = aten.native_batch_norm.default(x, scale, shift, *options)
            inputs.append(ACTIVATIONS[act][0](y, inplace=True))
            saved += [x, scale, shift, mean, inverse]
    _update(norms, means, variances)
    return tuple(x for out in outs for x in _levels(out, features)), saved


def _joined(norms: Any, name: str) -> Tensor:
    return torch.cat([norm._buffers[name] for pair in norms for norm in pair]).view(len(norms), -1)


def _update(norms: Any, *statistics: Tensor) -> None:
    """Store running statistics (P, 2 · C) of P norms: a GPU is given one kernel for all."""
    single = [norm for pair in norms for norm in pair]
    buffers = [norm._buffers[name] for name in STATISTICS for norm in single]
    found = [x for each in statistics for x in each.view(len(single), -1).unbind()]
    torch._foreach_copy_(buffers, found)
    torch._foreach_add_([norm._buffers['num_batches_tracked'] for norm in single], 1)


def _backward(
    gradients: Sequence[Tensor], features: Sequence[Tensor], saved: list[Any], norms: Any, act: str
) -> list[Any]:
    """Return the gradients of features and weights, in the order of `_forward`'s."""
    levels = len(features)
    convs: list[Any] = []
    affine: list[Any] = []
    run, to_input = ACTIVATIONS[act]
    nets: Sequence[Tensor] = [_rows(gradients[:levels]), _rows(gradients[levels:])]
    for repeat in reversed(range(len(norms) // levels + 1)):
        depthwise, *pointwise, rows = _take(saved, 4)
        to_pointwise = [
            (net.t() @ half)[:, :, None, None]
            for net, half in zip(nets, rows.chunk(2, 1), strict=True)
        ]
        to_biases = [net.sum(0) for net in nets]
        to_rows = torch.cat([net @ w for net, w in zip(nets, pointwise, strict=True)], 1)
        parts = [_take(saved, 5) for _ in range(levels)][::-1] if repeat else []
        normed = [apply_statistics(*part) for part in parts]
        inputs = [run(x) for x in normed] or [torch.cat((x, x), 1) for x in features]
        found = [
            _depthwise_backward(gradient, x, depthwise)
            for gradient, x in zip(_levels(to_rows, features), inputs, strict=True)
        ]
        to_depthwise = torch.stack([weight for _, weight in found]).sum(0)
        convs = [*to_depthwise.chunk(2), *to_pointwise, *to_biases, *convs]
        to_inputs = [x for x, _ in found]
        if not repeat:
            break
        through, own = [], []
        for level, (x, weight, _, mean, inverse) in enumerate(parts):
            gradient = to_input(to_inputs[level], normed[level])
            eps = norms[(repeat - 1) * levels + level][0].eps
            options = (mean, inverse, True, eps, (True, True, True))
            to_x, *rest = aten.native_batch_norm_backward.default(
                gradient, x, weight, None, None, *options
            )
            through.append(to_x)
            own += rest
        affine = own + affine
        nets = _rows(through).chunk(2, 1)
    to_features = [a + b for a, b in (x.chunk(2, 1) for x in to_inputs)]
    # Of each norm of both nets, scale and shift (2 · C,) → scale and shift of either net
    to_norms = (
        torch.cat(affine).view(len(norms), 2, 2, -1).transpose(1, 2).reshape(4 * len(norms), -1)
    )
    return [*to_features, *convs, *to_norms.unbind()]


def _take(saved: list[Any], count: int) -> list[Any]:
    """Remove the last values from a list."""
    taken = saved[-count:]
    del saved[-count:]
    return taken


def _rows(features: Sequence[Tensor]) -> Tensor:
    """Join levels: (N, C, H_l, W_l) each → (M, C)."""
    found = []
    for x in features:
        x = x.contiguous(memory_format=torch.channels_last)
        channels = x.shape[1]
        found.append(x.as_strided((x.numel() // channels, channels), (channels, 1)))
    return torch.cat(found)


def _levels(rows: Tensor, features: Sequence[Tensor]) -> list[Tensor]:
    """Split (M, C) into levels: (N, C, H_l, W_l) in channels-last memory, of features' sizes."""
    start, channels, found = 0, rows.shape[1], []
    for count, _, height, width in (x.shape for x in features):
        strides = (height * width * channels, 1, width * channels, channels)
        size = (count, channels, height, width)
        found.append(rows.as_strided(size, strides, rows.storage_offset() + start * channels))
        start += count * height * width
    return found


def _depthwise(x: Tensor, weight: Tensor) -> Tensor:
    """Convolve each channel: (N, C, H, W) → the same shape."""
    return F.conv2d(x, weight, padding=1, groups=weight.shape[0])


def _depthwise_backward(gradient: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of a depthwise convolution's input and weight."""
    one, none = (1, 1), (0, 0)
    options = (None, one, one, one, False, none, x.shape[1], (True, True, False))
    to_x, to_weight, _ = aten.convolution_backward.default(gradient, x, weight, *options)
    return to_x, to_weight
