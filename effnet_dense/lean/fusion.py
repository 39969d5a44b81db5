"""BiFPN's weighted sum in lean training: resized features and products are computed again.

Shapes: N images, C channels, H × W pixels.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from effnet_dense.lean.feature import Feature, Recomputed, unpack
from effnet_dense.models.bifpn import Fusion, resample, weighted_sum
from effnet_dense.models.layers import max_pool


def fuse(fusion: Fusion, first: Feature, rest: Any, level: int, *others: Tensor) -> Feature:
    """Sum features (N, C, H, W) at the first one's size, as `Fusion` does: a `Step`."""
    features, shares = fusion.parts((first.x, *others))
    size = features[0].shape[-2:]
    resized = [_resize(x, size, fusion.padding) for x in features]
    summands = [x.x for x in resized]
    if shares:
        summands = [x.through(torch.mul, share) for x, share in zip(resized, shares, strict=True)]
    again = Recomputed(weighted_sum, shares, *(x.source for x in resized))
    return Feature(weighted_sum((), *summands), again)


def _resize(x: Tensor, size: Any, padding: str) -> Feature:
    if x.shape[-2:] == size:
        return Feature(x)
    again = Recomputed(_resized_and_indices, x, size, padding)

    def pack(tensor: Tensor) -> Any:
        # Max-pooling saves its input, which others save as well, and twice its output's bytes.
        if tensor.is_floating_point():
            return tensor, tensor._version
        return Recomputed(itemgetter(1), again).add_reader()

    with saved_tensors_hooks(pack, unpack):
        return Feature(resample(x, size, padding), Recomputed(itemgetter(0), again))


def _resized_and_indices(x: Tensor, size: Any, padding: str) -> tuple[Tensor, Tensor | None]:
    """Return the resized feature and the indices that autograd saves of max-pooling."""
    found: list[Tensor] = []

    def pool(x: Tensor, padding: str) -> Tensor:
        pooled, indices = max_pool(x, padding, return_indices=True)
        found.append(indices)
        return pooled

    return resample(x, size, padding, pool), found[0] if found else None
