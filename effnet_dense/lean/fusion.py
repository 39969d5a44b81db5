"""BiFPN's weighted sum in lean training: resized features and products are computed again.

Shapes: N images, C channels, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from effnet_dense.lean.feature import Feature, Recomputed, unpack
from effnet_dense.models.bifpn import Fusion, resample

Resizing = tuple[tuple[int, int], str]  # the size (H, W), and the padding of max-pooling


def fuse(fusion: Fusion, inputs: Sequence[Tensor]) -> Feature:
    """Sum features (N, C, H, W) at the first one's size, as `Fusion` does."""
    features, shares = fusion.parts(inputs)
    height, width = features[0].shape[-2:]
    summands = [_resize(x, ((height, width), fusion.padding)) for x in features]
    if shares:
        summands = [x.then(torch.mul, share) for x, share in zip(summands, shares, strict=True)]
    total = summands[0]
    for other in summands[1:]:
        total = Feature(total.x + other.x, Recomputed(torch.add, total.source, other.source))
    return total


def _resize(x: Tensor, resizing: Resizing) -> Feature:
    if x.shape[-2:] == resizing[0]:
        return Feature(x)
    again = Recomputed(_resized_and_indices, x, resizing)

    def pack(tensor: Tensor) -> Any:
        # Max-pooling saves its input, which others save as well, and twice its output's bytes.
        if tensor.is_floating_point():
            return tensor, tensor._version
        return Recomputed(itemgetter(1), again).add_reader()

    with saved_tensors_hooks(pack, unpack):
        return Feature(resample(x, *resizing), Recomputed(itemgetter(0), again))


def _resized_and_indices(x: Tensor, resizing: Resizing) -> tuple[Tensor, Tensor | None]:
    """Return the resized feature and the indices that autograd saves of max-pooling."""
    saved: list[Tensor] = []
    with torch.enable_grad(), saved_tensors_hooks(saved.append, lambda _: x):
        out = resample(x.detach().requires_grad_(), *resizing).detach()
    return out, next((tensor for tensor in saved if not tensor.is_floating_point()), None)
