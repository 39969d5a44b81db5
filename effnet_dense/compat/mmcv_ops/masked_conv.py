"""The two steps of ``mmcv.ops.MaskedConv2d``, a convolution at M selected pixels of one image."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def masked_im2col_forward(
    im: Tensor,
    mask_h_idx: Tensor,
    mask_w_idx: Tensor,
    col: Tensor,
    kernel_h: int,
    kernel_w: int,
    pad_h: int,
    pad_w: int,
) -> None:
    """Write the kernel's windows at pixels (M,), (M,) of im (1, C, H, W) to col (C * K, M).

    The padding is zeros. Stride and dilation are 1.
    """
    # Every window starts inside the padded image, but may end outside of it.
    padded = F.pad(im[0], (pad_w, kernel_w - 1, pad_h, kernel_h - 1))
    windows = padded.unfold(1, kernel_h, 1).unfold(2, kernel_w, 1)  # (C, H', W', kH, kW)
    selected = windows[:, mask_h_idx, mask_w_idx]  # (C, M, kH, kW)
    col.copy_(selected.permute(0, 2, 3, 1).flatten(0, 2))


def masked_col2im_forward(
    col: Tensor,
    mask_h_idx: Tensor,
    mask_w_idx: Tensor,
    im: Tensor,
    height: int,
    width: int,
    channels: int,
) -> None:
    """Write columns (C, M) to their pixels (M,), (M,) of im (1, C, H, W)."""
    im[0, :, mask_h_idx, mask_w_idx] = col.to(im.dtype)
