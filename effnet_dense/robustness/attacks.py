"""Adversarial images in an L∞ ball: FGSM and PGD.

Shapes: inputs (N, 3, h, w), of the network; radii and bounds broadcast to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Gradient = Callable[[Tensor], Tensor]
"""Inputs → the gradient of the loss with respect to them, of the same shape."""

ATTACKS = ('fgsm', 'pgd')
STEP = 2.5
"""Sum of the lengths of PGD's steps, in radii (Madry et al. 2018: 2.5 · ε ÷ number of steps)."""


class Ball(NamedTuple):
    """The inputs that an attack may choose: near the clean ones, and valid pixels.

    Attributes:
        clean: (N, 3, h, w).
        radius: ε in the units of the inputs, (1, 3, 1, 1); 0 where nothing may change.
        low: The inputs of pixels 0, (1, 3, 1, 1).
        high: The inputs of pixels 255, (1, 3, 1, 1).
    """

    clean: Tensor
    radius: Tensor
    low: Tensor
    high: Tensor

    def project(self, inputs: Tensor) -> Tensor:
        """Return the nearest inputs in the ball; what is outside the pixels' range stays clean.

        That is padding: its values need not be those of any pixel.
        """
        near = inputs.clamp(self.clean - self.radius, self.clean + self.radius)
        inside = (self.clean >= self.low) & (self.clean <= self.high)
        return torch.where(inside, near.clamp(self.low, self.high), self.clean)


def fgsm(ball: Ball, gradient: Gradient) -> Tensor:
    """Fast gradient sign method (Goodfellow et al. 2015, arXiv:1412.6572, section 4).

    One step of ε in the direction of the gradient's sign.
    """
    return ball.project(ball.clean + ball.radius * gradient(ball.clean).sign())


def pgd(ball: Ball, gradient: Gradient, steps: int, start: Tensor) -> Tensor:
    """Projected gradient descent (Madry et al. 2018, arXiv:1706.06083, section 2.1).

    Args:
        ball: Where to search.
        gradient: Of the loss, which rises.
        steps: Number of steps of 2.5 · ε ÷ `steps`.
        start: Where to begin, from −1 to 1 radii in each value: (N, 3, h, w).

    Raises:
        ValueError: There is no step.
    """
    if steps < 1:
        raise ValueError(f'expected at least one step of PGD, got {steps}')
    inputs = ball.project(ball.clean + ball.radius * start)
    for _ in range(steps):
        inputs = ball.project(inputs + STEP / steps * ball.radius * gradient(inputs).sign())
    return inputs
