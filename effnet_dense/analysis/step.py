"""A training step without an optimizer, and an inference pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from effnet_dense.analysis.saved import tensors
from effnet_dense.analysis.settings import Settings


class TrainingStep:
    """Forward and backward pass, with gradients of all weights.

    The outputs' gradients are random, the same in every step, in the outputs' memory format as a
    loss would give them: those of a plain sum have no memory of their own, and cancel in a norm.
    """

    def __init__(self, model: nn.Module, x: Tensor, settings: Settings) -> None:
        self.model = model
        self.x = x
        self.settings = settings
        self.gradients: list[Tensor] | None = None

    def forward(self, x: Tensor) -> Any:
        """The model, in the precision that is asked for."""
        with self.settings.autocast():
            return self.model(x)

    def __call__(self) -> None:
        """Run both passes; gradients are there afterwards until `forget`."""
        outs = tensors(self.forward(self.x))
        if self.gradients is None:
            torch.manual_seed(self.settings.seed)
            self.gradients = [torch.randn_like(out) for out in outs]
        torch.autograd.backward(outs, self.gradients)
        self.forget()

    def forget(self) -> None:
        """Drop the gradients, as `optimizer.zero_grad` does."""
        self.model.zero_grad(set_to_none=True)


class Inference:
    """A forward pass without gradients."""

    def __init__(self, model: nn.Module, x: Tensor, settings: Settings) -> None:
        self.model = model
        self.x = x
        self.settings = settings

    def __call__(self) -> Any:
        """The model's results."""
        with torch.no_grad(), self.settings.autocast():
            return self.model(self.x)
