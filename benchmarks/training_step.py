"""Run a training step without an optimizer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from effnet_dense.analysis.saved_memory import output_tensors
from effnet_dense.analysis.settings import Settings


class TrainingStep:
    """A forward and backward pass, with gradients of all weights, as a task to time.

    The outputs' gradients are random, the same in every step, and in the outputs' memory format
    as a loss would give them. Gradients of a plain sum would have no memory of their own, and
    cancel in a norm.
    """

    def __init__(self, model: nn.Module, x: Tensor, settings: Settings) -> None:
        self.model = model
        self.x = x
        self.settings = settings
        self.output_gradients: list[Tensor] | None = None

    def forward(self, x: Tensor) -> Any:
        """Run the model in the settings' precision."""
        with self.settings.autocast():
            return self.model(x)

    def __call__(self) -> None:
        """Run both passes, and drop the gradients as `optimizer.zero_grad` does."""
        outs = output_tensors(self.forward(self.x))
        if self.output_gradients is None:
            torch.manual_seed(self.settings.seed)
            self.output_gradients = [torch.randn_like(out) for out in outs]
        torch.autograd.backward(outs, self.output_gradients)
        self.model.zero_grad(set_to_none=True)
