"""PSANet's attention masks (Zhao et al. 2018): from "relative to a pixel" to "of the whole map".

Letters: N images, a map of H × W pixels, a mask of A × B around each pixel, its centre at
(half_h_mask, half_w_mask).

* relative (N, A * B, H, W): pixel (h, w) has a value for each of the A × B places around it
* absolute (N, H * W, H, W): "collect" has that value at [(h', w'), h, w], (h', w') being the place
  it is about; "distribute" at [(h, w), h', w']. Values about places outside the map are dropped,
  places outside the mask are 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

COLLECT, DISTRIBUTE = 0, 1


def _axis(size: int, offsets: Tensor, limit: int) -> tuple[Tensor, Tensor]:
    """Return the sums (size, P) of 0 … size - 1 and offsets (P,), and which are in 0 … limit - 1.

    The others are clamped, so that they can be used as an index.
    """
    index = torch.arange(size, device=offsets.device)[:, None] + offsets
    return index.clamp(0, limit - 1), (index >= 0) & (index < limit)


def _gather(values: Tensor, sizes: tuple[int, int], shifts: tuple[int, int], sign: int) -> Tensor:
    """Return (N, T, U, H, W), at [t, u, h, w] the value at [t + shift ± h, u + shift ± w, h, w].

    values is (N, S, R, H, W), sizes (T, U); what falls outside S × R is 0.
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
    """Write the absolute masks of relative ones to output."""
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
    """Write the gradient of the relative masks; a value that was dropped has 0."""
    _check(psa_type)
    collect = grad_output.reshape(num_, h_feature * w_feature, -1)
    if psa_type == DISTRIBUTE:
        collect = collect.mT
    collect = collect.reshape(num_, h_feature, w_feature, h_feature, w_feature)
    relative = _gather(collect, (h_mask, w_mask), (-half_h_mask, -half_w_mask), 1)
    grad_input.copy_(relative.view_as(grad_input))
