"""Models as one module without choices: for runtimes on phones, which have few operators for them.

A detector ends with the boxes of all priors and their logits; `runtimes.candidates` does the rest.

Shapes: N images of H × W pixels, P priors of an image over all levels, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from effnet_dense.exporting.decoding import Decoder, decode
from effnet_dense.exporting.network import (
    WHOLE_POSTS,
    DetectionNetwork,
    join_levels,
    output_widths,
    whole_network,
)

POSTS: dict[str, tuple[str, ...]] = {'detection': ('dense', 'raw'), **WHOLE_POSTS}
"""Task → where files may end, the default first."""
RAW = ('logits', 'deltas', 'centerness')
DENSE = {
    'boxes': 'of all priors, x1, y1, x2, y2 in pixels of the input, (N, P, 4)',
    'logits': 'of the classes, before sigmoid, (N, P, C)',
    'centerness': 'a logit whose sigmoid is a factor of the scores, (N, P, 1)',
}


class Dense(NamedTuple):
    """A module, the names of what it returns, and further fields of the metadata."""

    module: nn.Module
    outputs: list[str]
    details: dict[str, Any]


class DenseBoxes(nn.Module):
    """The levels of a head's outputs → boxes, logits, centerness of all priors.

    Args:
        head: See `decoding.check_head`.
        size: (H, W) that the network takes, in pixels.
        decodes: Whether boxes are decoded; else the deltas are returned after the logits.
    """

    priors: Tensor

    def __init__(self, head: Any, size: tuple[int, int], decodes: bool = True) -> None:
        super().__init__()
        decoder = Decoder(head, size)
        self.widths = output_widths(head)
        self.coder = head.bbox_coder
        self.levels = decoder.levels
        self.decodes = decodes
        self.register_buffer('priors', decoder.priors.all())

    def forward(self, outputs: Sequence[list[Tensor]]) -> tuple[Tensor, ...]:
        """Decode: boxes (N, P, 4), logits (N, P, C), and centerness (N, P, 1) of some heads."""
        logits, deltas, *centerness = join_levels(outputs, self.widths)
        if not self.decodes:
            return logits, deltas, *centerness
        return decode(self.coder, self.priors, deltas), logits, *centerness


class DenseDetector(nn.Module):
    """A single-stage detector up to the boxes of all priors.

    Args:
        detector: Of mmdet's `SingleStageDetector`; a folded copy of it is used.
        size: (H, W) that it takes, in pixels.
        decodes: See `DenseBoxes`.
    """

    def __init__(self, detector: Any, size: tuple[int, int], decodes: bool = True) -> None:
        super().__init__()
        self.network = DetectionNetwork(detector)
        self.boxes = DenseBoxes(detector.bbox_head, size, decodes)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W), normalised → see `DenseBoxes`."""
        return self.boxes(self.network.levels(images))


def dense(model: Any, task: str, images: Tensor, post: str) -> Dense:
    """Return a model as one module.

    Args:
        model: A single-stage detector, or what `whole_network` takes.
        task: One of `POSTS`.
        images: Examples, (N, 3, H, W).
        post: One of the task's `POSTS`.

    Raises:
        ValueError: The model cannot be exported so.
    """
    if task != 'detection':
        return Dense(*whole_network(model, task, post), {})
    decodes = post == 'dense'
    height, width = images.shape[2:]
    detector = DenseDetector(model, (height, width), decodes).eval()
    with torch.no_grad():
        count = len(detector(images))
    names = list(DENSE if decodes else RAW)[:count]
    details: dict[str, Any] = dict(levels=detector.boxes.levels)
    if decodes:
        details['outputs'] = {name: DENSE[name] for name in names}
    return Dense(detector, names, details)
