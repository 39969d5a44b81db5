"""The log-odds of a segmentor's pixels, with gradients.

Shapes: C classes, h × w pixels of the decode head's logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor

from effnet_dense.inference.explaining.log_odds import log_odds


def has_pixels(model: Any) -> bool:
    """Whether a model has one decode head whose logits are those of its label maps."""
    return isinstance(model, EncoderDecoder) and isinstance(model.decode_head, BaseDecodeHead)


def pixel_logits(model: Any, levels: Sequence[Tensor]) -> Tensor:
    """Return the logits (C, h, w) of one image; a single one becomes those of two classes."""
    (logits,) = model.decode_head(tuple(levels))
    return torch.cat([-logits / 2, logits / 2]) if len(logits) == 1 else logits


def class_score(logits: Tensor, mask: Tensor, label: int) -> Tensor:
    """Return a class's mean log-odds () over pixels.

    Args:
        logits: (C, h, w) of the network's input without its padding.
        mask: (H, W) bool, of any size: the pixels of the class.
        label: The class.
    """
    shares = F.interpolate(mask[None, None].float(), logits.shape[1:], mode='area')[0, 0]
    inside = shares > 0
    odds = log_odds(logits[:, inside].T, sigmoid=False)[:, label]
    return (odds * shares[inside]).sum() / shares[inside].sum()
