"""Compare two outputs of the same leaves, and their gradients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def assert_gradients_close(
    y: Tensor, expected: Tensor, leaves: Sequence[Tensor], atol: float
) -> None:
    """Compare the gradients of two tensors of one shape, for a random gradient of theirs."""
    gradient = torch.randn_like(y)
    for own, right in zip(
        torch.autograd.grad(y, leaves, gradient),
        torch.autograd.grad(expected, leaves, gradient),
        strict=True,
    ):
        torch.testing.assert_close(own, right, rtol=1e-5, atol=atol)
