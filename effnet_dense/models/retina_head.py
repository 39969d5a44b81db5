"""mmdet's RetinaNet head with a norm for each level, without waits for a GPU in its losses.

Shapes: N images, P anchors of an image over all levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.dense_heads import AnchorHead
from mmdet.models.dense_heads import RetinaSepBNHead as MMDetRetinaSepBNHead
from mmdet.models.losses import GHMC, GHMR
from mmdet.models.task_modules.samplers import PseudoSampler
from torch import Tensor

from effnet_dense.models.dense_losses import DenseLosses
from effnet_dense.registry import MODELS


@MODELS.register_module()
class RetinaSepBNHead(DenseLosses, MMDetRetinaSepBNHead):
    """The same parameters, losses and gradients as mmdet's, whose config it takes.

    With `effnet_dense.MaxIoUAssigner` its losses wait for nothing. With a sampler, a border, or a
    weight of positive anchors in `train_cfg`, or with GHM, it computes mmdet's own.
    """

    def __init__(self, *args: Any, train_cfg: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, train_cfg=train_cfg, **kwargs)
        by_level = isinstance(self.loss_cls, GHMC) or isinstance(self.loss_bbox, GHMR)
        self._takes_all = bool(train_cfg) and not by_level and _takes_all(train_cfg)

    def loss_by_feat(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Compute the losses, see `DenseLosses`."""
        if self._takes_all:
            return super().loss_by_feat(*args, **kwargs)
        return AnchorHead.loss_by_feat(self, *args, **kwargs)

    def _valid(self, levels: Sequence[Tensor], meta: dict[str, Any]) -> Tensor | None:
        """Return which anchors (P,) are centred in the padded image; None if all are."""
        shape = meta['pad_shape']
        sizes = [(level.shape[-2], level.shape[-1]) for level in levels]
        strides = self.prior_generator.strides
        if all(
            math.ceil(side / stride) >= cells
            for size, (width, height) in zip(sizes, strides, strict=True)
            for side, stride, cells in zip(shape[:2], (height, width), size, strict=True)
        ):
            return None
        # Not copied from the CPU: of more than 64 KB, the host waits for the copy.
        return torch.cat(self.prior_generator.valid_flags(sizes, shape, levels[0].device))

    def _normaliser(self, positive: Tensor) -> Tensor:
        """Return the number of positive anchors, at least one for each image."""
        return positive.sum(1).clamp(min=1).sum()


def _takes_all(train_cfg: Any) -> bool:
    """Whether all anchors within the padded image have the same weight in the losses."""
    sampler = (train_cfg.get('sampler') or {}).get('type', 'PseudoSampler')
    pseudo = sampler in ('PseudoSampler', 'mmdet.PseudoSampler', PseudoSampler)
    border, weight = train_cfg.get('allowed_border', -1), train_cfg.get('pos_weight', -1)
    return pseudo and border < 0 and weight <= 0
