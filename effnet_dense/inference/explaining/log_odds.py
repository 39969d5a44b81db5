"""Logits of classes → the log-odds of each class, whatever the activation."""

from __future__ import annotations

import torch
from torch import Tensor


def log_odds(logits: Tensor, sigmoid: bool) -> Tensor:
    """Return log p ÷ (1 − p) of each class: (P, C), as the logits.

    For a sigmoid these are the logits. For a softmax a logit alone says nothing: a constant may be
    added to all; its odds are against the sum of the others.
    """
    if sigmoid:
        return logits
    own = torch.eye(logits.shape[1], dtype=torch.bool, device=logits.device)
    others = logits[:, None].expand(-1, logits.shape[1], -1).masked_fill(own, -torch.inf)
    return logits - others.logsumexp(2)
