"""Convert PSANet's attention masks (Zhao et al. 2018) from relative to absolute positions.

Shapes: N images, maps of H × W pixels, a mask of A × B around each pixel, centred at
(half_h_mask, half_w_mask).

* relative (N, A * B, H, W): pixel (h, w) has a value for each of the A × B pixels around it
* absolute (N, H * W, H, W): "collect" stores the value for pixel (h', w') at [(h', w'), h, w],
  "distribute" at [(h, w), h', w']. Values for pixels outside the map are dropped; pixels outside
  the mask get 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

COLLECT, DISTRIBUTE = 0, 1


def _axis(size: int, offsets: Tensor, limit: int) -> tuple[Tensor, Tensor]:
    """Return the sums (size, P) of 0 … size - 1 and offsets (P,), and which lie in 0 … limit - 1.

    The others are clamped to valid indices.
    """
    index = torch.arange(size, device=offsets.device)[:, None] + offsets
    return index.clamp(0, limit - 1), (index >= 0) & (index < limit)


def _gather(values: Tensor, sizes: tuple[int, int], shifts: tuple[int, int], sign: int) -> Tensor:
    """Return (N, T, U, H, W): at [t, u, h, w], the value at [t + shift ± h, u + shift ± w, h, w].

    values is (N, S, R, H, W), sizes (T, U); outside of S × R the result is 0.
    """
    *_, rows, columns, height, width = values.shape
    h = torch.arange(height, device=values.device)
    w = torch.arange(width, device=values.device)
    row, row_exists = _axis(sizes[0], shifts[0] + sign * h, rows)  # (T, H)
    column, column_exists = _axis(sizes[1], shifts[1] + sign * w, columns)  # (U, W)
    gathered = values[:, row[:, None, :, None], column[None, :, None, :], h[:, None], w]
    exists = row_exists[:, None, :, None] & column_exists[None, :, None, :]
    return gathered.masked_fill_(~exists, 0)


def _check(psa_type: int) -> None:
    if psa_type not in (COLLECT, DISTRIBUTE):
        raise ValueError(f'psa_type must be 0 (collect) or 1 (distribute), got {psa_type}')


def psamask_forward(
    input: Tensor,
    output: Tensor,
    psa_type: int,
    num_: int,
    h_feature: int,
    w_feature: int,
    h_mask: int,
    w_mask: int,
    half_h_mask: int,
    half_w_mask: int,
) -> None:
    """Write the absolute masks of the relative input to output."""
    _check(psa_type)
    relative = input.reshape(num_, h_mask, w_mask, h_feature, w_feature)
    collect = _gather(relative, (h_feature, w_feature), (half_h_mask, half_w_mask), -1)
    collect = collect.view(num_, h_feature * w_feature, -1)
    output.copy_((collect if psa_type == COLLECT else collect.mT).view_as(output))


def psamask_backward(
    grad_output: Tensor,
    grad_input: Tensor,
    psa_type: int,
    num_: int,
    h_feature: int,
    w_feature: int,
    h_mask: int,
    w_mask: int,
    half_h_mask: int,
    half_w_mask: int,
) -> None:
    """Write the gradient of the relative masks; 0 for dropped values."""
    _check(psa_type)
    collect = grad_output.reshape(num_, h_feature * w_feature, -1)
    if psa_type == DISTRIBUTE:
        collect = collect.mT
    collect = collect.reshape(num_, h_feature, w_feature, h_feature, w_feature)
    relative = _gather(collect, (h_mask, w_mask), (-half_h_mask, -half_w_mask), 1)
    grad_input.copy_(relative.view_as(grad_input))
