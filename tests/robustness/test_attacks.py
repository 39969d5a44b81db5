"""FGSM and PGD against analytic gradients, and the ball that they stay in."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from effnet_dense.robustness.attacks import Ball, fgsm, pgd


def ball(clean: Tensor, radius: float = 0.1, low: float = -1.0, high: float = 1.0) -> Ball:
    return Ball(clean, *(torch.full((1, 1, 1, 1), each) for each in (radius, low, high)))


def test_fgsm_steps_along_the_sign_of_the_gradient() -> None:
    """Of Σ w · x² the gradient is 2 w x."""
    clean = torch.tensor([0.5, -0.5, 0.5, 0.0]).view(1, 1, 1, 4)
    weights = torch.tensor([3.0, 0.01, -2.0, 1.0]).view(1, 1, 1, 4)
    made = fgsm(ball(clean), lambda x: 2 * weights * x)
    torch.testing.assert_close(made.flatten(), torch.tensor([0.6, -0.6, 0.4, 0.0]))


def test_projection_keeps_ball_and_pixels() -> None:
    clean = torch.tensor([0.0, 0.95, -0.95, 0.5]).view(1, 1, 1, 4)
    changed = torch.tensor([0.7, 1.2, -0.9, 0.45]).view(1, 1, 1, 4)
    made = ball(clean).project(changed).flatten()
    torch.testing.assert_close(made, torch.tensor([0.1, 1.0, -0.9, 0.45]))


def test_padding_stays_as_it_is() -> None:
    """Zeros after normalisation are no pixel here, whose values are from 1 to 2."""
    clean = torch.tensor([0.0, 1.5]).view(1, 1, 1, 2)
    made = fgsm(ball(clean, 0.2, low=1.0, high=2.0), torch.ones_like)
    torch.testing.assert_close(made.flatten(), torch.tensor([0.0, 1.7]))


@pytest.mark.parametrize('steps', [1, 3, 10])
def test_pgd_reaches_the_corner_of_a_linear_loss(steps: int) -> None:
    """2.5 radii of steps are enough from any start, and the ball ends them."""
    draw = torch.Generator().manual_seed(0)
    clean = torch.rand(2, 3, 4, 4, generator=draw) - 0.5
    weights = torch.randn(1, 3, 4, 4, generator=draw)
    start = 2 * torch.rand(clean.shape, generator=draw) - 1
    made = pgd(ball(clean), lambda x: weights.expand_as(x), steps, start)
    torch.testing.assert_close(made, clean + 0.1 * weights.sign())


def test_pgd_finds_a_maximum_inside_the_ball() -> None:
    """−(x − 0.03)² is largest at 0.03; 25 steps are of 0.01 each."""
    clean = torch.zeros(1, 1, 1, 3)
    start = torch.tensor([-1.0, 0.0, 1.0]).view(1, 1, 1, 3)
    made = pgd(ball(clean), lambda x: -2 * (x - 0.03), 25, start)
    assert (made - 0.03).abs().max() <= 0.0101


def test_pgd_needs_a_step() -> None:
    clean = torch.zeros(1, 1, 1, 1)
    with pytest.raises(ValueError, match='at least one step of PGD, got 0'):
        pgd(ball(clean), torch.ones_like, 0, clean)
