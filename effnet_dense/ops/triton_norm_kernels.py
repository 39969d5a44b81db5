"""Triton kernels of batch norm in training with the activation after it, and optional gates.

A feature is read as N images of P pixels and C channels by three strides, so that one kernel serves
channels-last and contiguous features. A program handles BLOCK_C channels of a share of one image's
pixels; sums over a share are written to a row of partial results, row = image · splits + split. All
arithmetic is in float32. If PADDED, the activated feature and its gradient have zeros around them:
`top` rows and `left` columns before the image of `height` × `width`, and `wide` columns in all.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _load(address, mask):
    return tl.load(address, mask=mask, other=0.0).to(tl.float32)


@triton.jit
def _sigmoid(z):
    return 1.0 / (1.0 + tl.exp(-z))


@triton.jit
def _activate(z, ACT: tl.constexpr):
    if ACT == 'silu':
        z = z * _sigmoid(z)
    if ACT == 'relu' or ACT == 'relu6':
        z = tl.where(z < 0.0, 0.0, z)  # keeps NaN
    if ACT == 'relu6':
        z = tl.where(z > 6.0, 6.0, z)
    return z


@triton.jit
def _slope(z, ACT: tl.constexpr):
    """The activation's derivative."""
    slope = tl.full(z.shape, 1.0, tl.float32)
    if ACT == 'silu':
        s = _sigmoid(z)
        slope = s * (1.0 + z * (1.0 - s))
    if ACT == 'relu' or ACT == 'relu6':
        slope = tl.where(z <= 0.0, 0.0, slope)
    if ACT == 'relu6':
        slope = tl.where(z >= 6.0, 0.0, slope)
    return slope


@triton.jit
def _padded(p, width, wide, top, left, PADDED: tl.constexpr):
    """The pixel of the padded image where pixel p is."""
    if PADDED:
        p = (p // width + top) * wide + p % width + left
    return p


@triton.jit
def moments(
    x, partial, pixels, channels, rows, share, x_image, x_pixel, x_channel,
    BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """Write the mean of each share, then its sum of squared deviations: partial (2, rows, C)."""
    c = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    split, image = tl.program_id(1), tl.program_id(2)
    x += image.to(tl.int64) * x_image + c[None, :] * x_channel
    first, last = split * share, tl.minimum((split + 1) * share, pixels)
    # Deviations from the first pixels' mean do not cancel.
    p = first + tl.arange(0, BLOCK_P)[:, None]
    mask = (p < last) & (c < channels)[None, :]
    near = tl.sum(_load(x + p * x_pixel, mask), 0) / tl.minimum(last - first, BLOCK_P)
    total = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    squares = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    for start in range(first, last, BLOCK_P):
        p = start + tl.arange(0, BLOCK_P)[:, None]
        mask = (p < last) & (c < channels)[None, :]
        deviation = tl.where(mask, _load(x + p * x_pixel, mask) - near[None, :], 0.0)
        total += deviation
        squares += deviation * deviation
    mean = tl.sum(total, 0) / (last - first)
    squared = tl.sum(squares, 0) - mean * mean * (last - first)
    partial += (image * tl.num_programs(1) + split) * channels + c
    tl.store(partial, near + mean, mask=c < channels)
    tl.store(partial + rows * channels, squared, mask=c < channels)


@triton.jit
def statistics(
    partial, running_mean, running_var, mean_out, inverse_out,
    pixels, channels, rows, share, splits, momentum, eps,
    BLOCK_R: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """Combine `moments` to mean and 1 ÷ σ, and update the running statistics, (C,) each."""
    c = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    is_channel = c < channels
    count = (rows // splits).to(tl.float32) * pixels
    mean = tl.zeros((BLOCK_C,), tl.float32)
    for start in range(0, rows, BLOCK_R):
        row = start + tl.arange(0, BLOCK_R)[:, None]
        mask = (row < rows) & is_channel[None, :]
        own = tl.minimum(share, pixels - row % splits * share)
        means = _load(partial + row * channels + c[None, :], mask)
        mean += tl.sum(means * (own / count), 0)
    squared = tl.zeros((BLOCK_C,), tl.float32)
    for start in range(0, rows, BLOCK_R):
        row = start + tl.arange(0, BLOCK_R)[:, None]
        mask = (row < rows) & is_channel[None, :]
        own = tl.minimum(share, pixels - row % splits * share)
        address = partial + row * channels + c[None, :]
        apart = _load(address, mask) - mean[None, :]
        within = _load(address + rows * channels, mask)
        squared += tl.sum(tl.where(mask, within + apart * apart * own, 0.0), 0)
    tl.store(mean_out + c, mean, mask=is_channel)
    tl.store(inverse_out + c, 1.0 / tl.sqrt(squared / count + eps), mask=is_channel)
    mean = (1.0 - momentum) * _load(running_mean + c, is_channel) + momentum * mean
    unbiased = squared / (count - 1.0)
    var = (1.0 - momentum) * _load(running_var + c, is_channel) + momentum * unbiased
    tl.store(running_mean + c, mean.to(running_mean.dtype.element_ty), mask=is_channel)
    tl.store(running_var + c, var.to(running_var.dtype.element_ty), mask=is_channel)


@triton.jit
def activate(
    x, mean, inverse, weight, bias, gate, out, pixels, channels, share,
    height, width, wide, top, left,
    x_image, x_pixel, x_channel, out_image, out_pixel, out_channel,
    ACT: tl.constexpr, GATED: tl.constexpr, PADDED: tl.constexpr,
    BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """Write out = act(x̂ · weight + bias), times gate (N, C); `pixels` are those of out."""
    c = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    split, image = tl.program_id(1), tl.program_id(2)
    x += image.to(tl.int64) * x_image + c[None, :] * x_channel
    out += image.to(tl.int64) * out_image + c[None, :] * out_channel
    is_channel = c < channels
    middle, inverse = _load(mean + c, is_channel), _load(inverse + c, is_channel)
    weight, bias = _load(weight + c, is_channel), _load(bias + c, is_channel)
    if GATED:
        factor = _load(gate + image * channels + c, is_channel)
    first, last = split * share, tl.minimum((split + 1) * share, pixels)
    for start in range(first, last, BLOCK_P):
        p = start + tl.arange(0, BLOCK_P)[:, None]
        mask = (p < last) & is_channel[None, :]
        source, inside = p, mask
        if PADDED:
            row, column = p // wide - top, p % wide - left
            source = row * width + column
            inside = mask & (row >= 0) & (row < height) & (column >= 0) & (column < width)
        normed = (_load(x + source * x_pixel, inside) - middle[None, :]) * inverse[None, :]
        value = _activate(normed * weight[None, :] + bias[None, :], ACT)
        if GATED:
            value *= factor[None, :]
        if PADDED:
            value = tl.where(inside, value, 0.0)
        tl.store(out + p * out_pixel, value.to(out.dtype.element_ty), mask=mask)


@triton.jit
def activation_sums(
    x, mean, inverse, weight, bias, partial, pixels, channels, share, x_image, x_pixel, x_channel,
    ACT: tl.constexpr, BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """Write the sum of act(x̂ · weight + bias) over each share: partial (rows, C)."""
    c = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    split, image = tl.program_id(1), tl.program_id(2)
    x += image.to(tl.int64) * x_image + c[None, :] * x_channel
    is_channel = c < channels
    middle, inverse = _load(mean + c, is_channel), _load(inverse + c, is_channel)
    weight, bias = _load(weight + c, is_channel), _load(bias + c, is_channel)
    total = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    first, last = split * share, tl.minimum((split + 1) * share, pixels)
    for start in range(first, last, BLOCK_P):
        p = start + tl.arange(0, BLOCK_P)[:, None]
        mask = (p < last) & is_channel[None, :]
        normed = (_load(x + p * x_pixel, mask) - middle[None, :]) * inverse[None, :]
        value = _activate(normed * weight[None, :] + bias[None, :], ACT)
        total += tl.where(mask, value, 0.0)
    row = image * tl.num_programs(1) + split
    tl.store(partial + row * channels + c, tl.sum(total, 0), mask=is_channel)


@triton.jit
def gradient_sums(
    gradient, x, mean, inverse, weight, bias, partial, pixels, channels, rows, share,
    width, wide, top, left, g_image, g_pixel, g_channel, x_image, x_pixel, x_channel,
    ACT: tl.constexpr, GATED: tl.constexpr, PADDED: tl.constexpr,
    BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """Write sums over each share: partial (2, rows, C), or (5, rows, C) if gated.

    With the output's gradient g and the activation's derivative a': g · a' and g · a' · x̂; if gated
    also a', a' · x̂ and g · act.
    """
    c = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    split, image = tl.program_id(1), tl.program_id(2)
    gradient += image.to(tl.int64) * g_image + c[None, :] * g_channel
    x += image.to(tl.int64) * x_image + c[None, :] * x_channel
    is_channel = c < channels
    middle, inverse = _load(mean + c, is_channel), _load(inverse + c, is_channel)
    weight, bias = _load(weight + c, is_channel), _load(bias + c, is_channel)
    level = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    along = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    if GATED:
        slopes = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
        slopes_along = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
        to_gate = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    first, last = split * share, tl.minimum((split + 1) * share, pixels)
    for start in range(first, last, BLOCK_P):
        p = start + tl.arange(0, BLOCK_P)[:, None]
        mask = (p < last) & is_channel[None, :]
        normed = (_load(x + p * x_pixel, mask) - middle[None, :]) * inverse[None, :]
        z = normed * weight[None, :] + bias[None, :]
        target = _padded(p, width, wide, top, left, PADDED)
        g = _load(gradient + target * g_pixel, mask)
        slope = tl.where(mask, _slope(z, ACT), 0.0)
        level += g * slope
        along += g * slope * normed
        if GATED:
            slopes += slope
            slopes_along += slope * normed
            to_gate += g * _activate(z, ACT)
    partial += (image * tl.num_programs(1) + split) * channels + c
    tl.store(partial, tl.sum(level, 0), mask=is_channel)
    tl.store(partial + rows * channels, tl.sum(along, 0), mask=is_channel)
    if GATED:
        tl.store(partial + 2 * rows * channels, tl.sum(slopes, 0), mask=is_channel)
        tl.store(partial + 3 * rows * channels, tl.sum(slopes_along, 0), mask=is_channel)
        tl.store(partial + 4 * rows * channels, tl.sum(to_gate, 0), mask=is_channel)


@triton.jit
def input_gradient(
    gradient, x, mean, inverse, weight, bias, sums, gate, shift, to_x,
    pixels, channels, share, count, width, wide, top, left, g_image, g_pixel, g_channel,
    x_image, x_pixel, x_channel, out_image, out_pixel, out_channel,
    ACT: tl.constexpr, GATED: tl.constexpr, PADDED: tl.constexpr,
    BLOCK_P: tl.constexpr, BLOCK_C: tl.constexpr,
):  # fmt: skip
    """Write to_x = weight ÷ σ · (d − mean(d) − x̂ · mean(d · x̂)) with d = g · a'.

    `sums` (2, C) are those of d and d · x̂ over all images. If gated, the activation's gradient is
    g · gate + shift, (N, C) each.
    """
    c = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)
    split, image = tl.program_id(1), tl.program_id(2)
    gradient += image.to(tl.int64) * g_image + c[None, :] * g_channel
    x += image.to(tl.int64) * x_image + c[None, :] * x_channel
    to_x += image.to(tl.int64) * out_image + c[None, :] * out_channel
    is_channel = c < channels
    middle, inverse = _load(mean + c, is_channel), _load(inverse + c, is_channel)
    weight, bias = _load(weight + c, is_channel), _load(bias + c, is_channel)
    level = _load(sums + c, is_channel) / count
    along = _load(sums + channels + c, is_channel) / count
    if GATED:
        factor = _load(gate + image * channels + c, is_channel)
        added = _load(shift + image * channels + c, is_channel)
    first, last = split * share, tl.minimum((split + 1) * share, pixels)
    for start in range(first, last, BLOCK_P):
        p = start + tl.arange(0, BLOCK_P)[:, None]
        mask = (p < last) & is_channel[None, :]
        normed = (_load(x + p * x_pixel, mask) - middle[None, :]) * inverse[None, :]
        target = _padded(p, width, wide, top, left, PADDED)
        g = _load(gradient + target * g_pixel, mask)
        if GATED:
            g = g * factor[None, :] + added[None, :]
        d = g * _slope(normed * weight[None, :] + bias[None, :], ACT)
        d = (d - level[None, :] - normed * along[None, :]) * (weight * inverse)[None, :]
        tl.store(to_x + p * out_pixel, d.to(to_x.dtype.element_ty), mask=mask)
