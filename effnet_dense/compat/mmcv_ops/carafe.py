"""CARAFE: content-aware reassembly of features (Wang et al. 2019, arXiv:1905.02188).

Shapes: N images, C channels in G groups of D, a k × k kernel, upsampling by s.

* features (N, C, H, W)
* masks (N, G * k * k, sH, sW): for each output pixel, the weights of the k × k features around it
* output (N, C, sH, sW)
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from effnet_dense.ops.precision import at_least_float32


def _grouped(map: Tensor, groups: int, scale: int) -> Tensor:
    """View a map (N, G * D, sH, sW) as (N, G, D, H, s, W, s): the output pixels of each feature."""
    batch, channels, height, width = map.shape
    return map.view(
        batch, groups, channels // groups, height // scale, scale, width // scale, scale
    )


def _taps(padded: Tensor, kernel_size: int) -> Iterator[Tensor]:
    """Yield views of padded (N, G, D, H + k - 1, W + k - 1), one per position in the kernel."""
    height, width = (size - kernel_size + 1 for size in padded.shape[-2:])
    for y in range(kernel_size):
        for x in range(kernel_size):
            yield padded[..., y : y + height, x : x + width]


def _padded(features: Tensor, kernel_size: int, groups: int) -> Tensor:
    """Return the features (N, G, D, H + k - 1, W + k - 1) with zeros around them."""
    return F.pad(features, (kernel_size // 2,) * 4).unflatten(1, (groups, -1))


def carafe_naive_forward(
    features: Tensor,
    masks: Tensor,
    output: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Write the reassembled features to output."""
    features, masks = at_least_float32(features, masks)
    weights = _grouped(masks, group_size, scale_factor)
    padded = _padded(features, kernel_size, group_size)
    result = _grouped(features.new_zeros(output.shape), group_size, scale_factor)
    for tap, feature in enumerate(_taps(padded, kernel_size)):
        result.addcmul_(feature[..., :, None, :, None], weights[:, :, tap : tap + 1])
    output.copy_(result.view(output.shape))


def carafe_naive_backward(
    top_grad: Tensor,
    features: Tensor,
    masks: Tensor,
    bottom_grad: Tensor,
    mask_grad: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Write the gradients of features and masks, given the output's."""
    top_grad, features, masks = at_least_float32(top_grad, features, masks)
    grad = _grouped(top_grad, group_size, scale_factor)
    weights = _grouped(masks, group_size, scale_factor)
    grad_weights = torch.zeros_like(weights)
    padded = _padded(features, kernel_size, group_size)
    grad_padded = torch.zeros_like(padded)
    taps = zip(_taps(padded, kernel_size), _taps(grad_padded, kernel_size), strict=True)
    for tap, (feature, grad_feature) in enumerate(taps):
        grad_feature += torch.einsum('ngdhawb,nghawb->ngdhw', grad, weights[:, :, tap])
        grad_weights[:, :, tap] = torch.einsum('ngdhawb,ngdhw->nghawb', grad, feature)
    mask_grad.copy_(grad_weights.view(masks.shape))
    margin = kernel_size // 2
    height, width = features.shape[-2:]
    inner = grad_padded[..., margin : margin + height, margin : margin + width]
    bottom_grad.copy_(inner.flatten(1, 2))


def carafe_forward(
    features: Tensor,
    masks: Tensor,
    rfeatures: Tensor,
    routput: Tensor,
    rmasks: Tensor,
    output: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Write the reassembled features to output.

    mmcv's kernel writes a reordered copy of the features to rfeatures, and its backward gets only
    that; here it is a plain copy.
    """
    rfeatures.copy_(features)
    carafe_naive_forward(features, masks, output, kernel_size, group_size, scale_factor)


def carafe_backward(
    top_grad: Tensor,
    rfeatures: Tensor,
    masks: Tensor,
    rtop_grad: Tensor,
    rbottom_grad_hs: Tensor,
    rbottom_grad: Tensor,
    rmask_grad: Tensor,
    bottom_grad: Tensor,
    mask_grad: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Write the gradients of features and masks, given the output's."""
    carafe_naive_backward(
        top_grad, rfeatures, masks, bottom_grad, mask_grad, kernel_size, group_size, scale_factor
    )
