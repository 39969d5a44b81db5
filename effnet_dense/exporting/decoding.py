"""Raw outputs of a single-stage detector → a fixed number of candidate boxes, in any batch size.

What mmdet does image by image with lists of varying length, here with tensors of fixed shapes: a
candidate that a threshold drops stays, with score 0.

Shapes: N images, P priors of an image over all levels, C classes, K candidates of an image.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from mmdet.models.dense_heads import GFLHead, RPNHead, RTMDetInsHead
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder, DistancePointBBoxCoder
from torch import Tensor, nn

from effnet_dense.exporting.priors import Priors
from effnet_dense.models.efficientdet_head import EfficientDetHead

WH_RATIO_CLIP = 16 / 1000
"""mmdet's limit on the logarithms of a box's sides, in `delta2bbox`."""

STEPS = (
    'predict_by_feat',
    '_predict_by_feat_single',
    '_bbox_post_process',
    '_bbox_mask_post_process',
    '_mask_predict_by_feat_single',
)
"""What `Decoder` and `suppression` do in place of mmdet's BaseDenseHead, and of `KINDS`."""

KINDS: tuple[Any, ...] = (RPNHead, RTMDetInsHead, GFLHead)
"""Heads whose own steps `Decoder` and the modules after it do, too."""


class Decoder(nn.Module):
    """Decode the best candidates.

    Args:
        head: A dense head of mmdet's interface; see `check_head`.
        image_size: (H, W) that the network takes, in pixels.
        limit: Most candidates of a level (or of all, for EfficientDet's head) that are taken;
            replaces `nms_pre` where it is smaller.

    Attributes:
        with_priors: Whether the positions of the priors are returned, too.
    """

    level_of: Tensor

    def __init__(self, head: Any, image_size: tuple[int, int], limit: int | None = None) -> None:
        super().__init__()
        check_head(head)
        self.with_priors = False
        config = head.test_cfg
        self.classes = int(head.cls_out_channels)
        self.threshold = float(config.get('score_thr', 0.0))
        self.smallest = float(config.get('min_bbox_size', -1))
        self.coder = head.bbox_coder
        sizes = [
            (math.ceil(image_size[0] / stride), math.ceil(image_size[1] / stride))
            for _, stride in head.prior_generator.strides
        ]
        self.priors = Priors(head.prior_generator, sizes)
        counts = self.priors.counts
        self.levels = [sum(counts)] if isinstance(head, EfficientDetHead) else counts
        before = config.get('nms_pre', -1)
        self.before = min(n for n in (before, limit or -1, 2**31) if n > 0)
        self.proposes = isinstance(head, RPNHead)
        taken = [min(self.before, count * self.classes) for count in self.levels]
        numbers = torch.arange(len(taken)).repeat_interleave(torch.tensor(taken))
        self.register_buffer('level_of', numbers)

    def forward(
        self, logits: Tensor, deltas: Tensor, sizes: Tensor, centerness: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Decode.

        Args:
            logits: (N, P, C).
            deltas: (N, P, 4), deltas of anchors or distances from points.
            sizes: (N, 2), height and width of each image within the network's input, without
                padding; boxes end there.
            centerness: (N, P, 1), logits.

        Returns:
            Boxes (N, K, 4) as x1, y1, x2, y2 in pixels of the network's input, scores (N, K), 0
            where a box is dropped, and labels (N, K); with `with_priors` also the positions (N, K)
            of the priors. Labels of proposals are the numbers of their levels: overlaps are
            suppressed within each.
        """
        scores, index = self._best(logits)
        anchor = torch.div(index, self.classes, rounding_mode='floor')
        labels = index - anchor * self.classes
        if self.proposes:
            labels = labels + self.level_of
        chosen = [take(values, anchor) for values in (deltas, centerness) if values is not None]
        found = self.decoded(scores, labels, self.priors(anchor), chosen[0], sizes, *chosen[1:])
        return (*found, anchor) if self.with_priors else found

    def decoded(
        self,
        scores: Tensor,
        labels: Tensor,
        priors: Tensor,
        deltas: Tensor,
        sizes: Tensor,
        centerness: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Decode what was chosen: (N, K), (N, K), (N, K, 4), (N, K, 4), sizes, (N, K, 1)."""
        x1, y1, x2, y2 = clip(decode(self.coder, priors, deltas), sizes)
        kept = scores > self.threshold
        if self.smallest >= 0:
            kept = kept & (x2 - x1 > self.smallest) & (y2 - y1 > self.smallest)
        if centerness is not None:
            scores = scores * centerness[..., 0].sigmoid()
        return torch.stack([x1, y1, x2, y2], -1), torch.where(kept, scores, 0.0), labels

    def _best(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores (N, K) and positions (N, K) in (P · C) of the best of each level."""
        scores, positions, start = [], [], 0
        for count in self.levels:
            level = logits[:, start : start + count].flatten(1)
            best, index = level.topk(min(self.before, count * self.classes))
            scores.append(best.sigmoid())
            positions.append(index + start * self.classes)
            start += count
        return torch.cat(scores, 1), torch.cat(positions, 1)


def decode(coder: Any, priors: Tensor, deltas: Tensor) -> Tensor:
    """Priors (N, K, 4) or (N, K, 2), deltas (N, K, 4) → boxes (N, K, 4)."""
    if isinstance(coder, DistancePointBBoxCoder):
        boxes = priors.shape[-1] == 4  # whose centres are the points
        points = (priors[..., :2] + priors[..., 2:]) * 0.5 if boxes else priors
        return torch.cat([points - deltas[..., :2], points + deltas[..., 2:]], -1)
    stds, means = deltas.new_tensor(coder.stds), deltas.new_tensor(coder.means)
    deltas = deltas * stds + means
    limit = abs(math.log(WH_RATIO_CLIP))
    centre = (priors[..., :2] + priors[..., 2:]) * 0.5
    sides = priors[..., 2:] - priors[..., :2]
    centre = centre + sides * deltas[..., :2]
    half = sides * deltas[..., 2:].clamp(-limit, limit).exp() * 0.5
    return torch.cat([centre - half, centre + half], -1)


def clip(boxes: Tensor, sizes: Tensor) -> tuple[Tensor, ...]:
    """Cut boxes (N, K, 4) at the borders of images of the sizes (N, 2); return x1, y1, x2, y2."""
    height, width = sizes[:, :1], sizes[:, 1:]
    x1, y1, x2, y2 = boxes.unbind(-1)
    zero = torch.zeros_like(height)
    x1, x2 = (x.clamp(zero, width) for x in (x1, x2))
    y1, y2 = (y.clamp(zero, height) for y in (y1, y2))
    return x1, y1, x2, y2


def check_head(head: Any) -> None:
    """Check that a head's decoding is one that can be exported.

    Raises:
        ValueError: It is not; the message says what is in its way.
    """
    own = isinstance(head, EfficientDetHead)
    changed = [] if own else [name for name in STEPS if _overrides(head, name)]
    if changed:
        raise ValueError(
            f'{type(head).__name__} has its own {" and ".join(changed)}, which cannot be exported'
        )
    if not getattr(head, 'use_sigmoid_cls', False):
        raise ValueError(f'{type(head).__name__} has no sigmoid scores, which export needs')
    check_coder(head.bbox_coder)


def check_coder(coder: Any) -> None:
    """Check that boxes are decoded in a way that can be exported.

    Raises:
        ValueError: They are not.
    """
    if type(coder) not in (DeltaXYWHBBoxCoder, DistancePointBBoxCoder):
        raise ValueError(
            f'expected bbox_coder to be DeltaXYWHBBoxCoder or DistancePointBBoxCoder, got '
            f'{type(coder).__name__}'
        )
    if getattr(coder, 'add_ctr_clamp', False):
        raise ValueError('bbox_coder has add_ctr_clamp=True, which cannot be exported')


def _overrides(head: Any, name: str) -> bool:
    known = next((kind for kind in KINDS if isinstance(head, kind)), BaseDenseHead)
    return getattr(type(head), name, None) is not getattr(known, name, None)


def take(values: Tensor, index: Tensor) -> Tensor:
    """Take rows: values (N, P, D), index (N, K) → (N, K, D)."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[-1]))
