"""Maps with results that are derived by hand."""

from __future__ import annotations

import pytest
import torch

from effnet_dense.inference.explaining.activation_maps import METHODS, combined, hires_cam

# Two channels of 1 × 2 pixels, and gradients.
FEATURES = torch.tensor([[[1.0, 2.0]], [[3.0, 1.0]]])
GRADIENTS = torch.tensor([[[2.0, 0.0]], [[-1.0, 1.0]]])


@pytest.mark.parametrize(
    ('method', 'expected'),
    [
        ('hirescam', [2 - 3, 0 + 1]),
        ('gradcam', [1 * 1 + 0 * 3, 1 * 2 + 0 * 1]),  # mean gradients 1 and 0
        ('layercam', [2, 1]),
        # α = 4 ÷ (2 · 4 + 8 · 3) = 1/8 of the first channel's first pixel, weight 2/8;
        # α = 1 ÷ (2 + 1 · 4) = 1/6 of the second channel's second pixel, weight 1/6
        ('gradcam++', [1 / 4 + 3 / 6, 2 / 4 + 1 / 6]),
    ],
)
def test_methods(method: str, expected: list[float]) -> None:
    found = METHODS[method](FEATURES, GRADIENTS)
    torch.testing.assert_close(found, torch.tensor([expected], dtype=torch.float32))


def test_hires_cam_is_the_parts_of_a_linear_score() -> None:
    torch.manual_seed(0)
    features, weights = torch.randn(3, 4, 5, requires_grad=True), torch.randn(3, 4, 5)
    score = (features * weights).sum()
    (gradient,) = torch.autograd.grad(score, features)
    torch.testing.assert_close(hires_cam(features, gradient).sum(), score)


def test_levels_are_added_by_their_shares_of_the_score() -> None:
    fine, coarse = torch.zeros(1, 4, 4), torch.zeros(1, 1, 1)
    fine[0, 0, 0], coarse[0, 0, 0] = 1, 8
    ones = torch.ones_like
    found = combined([fine, coarse], [ones(fine), ones(coarse)], hires_cam, (4, 4))
    expected = torch.full((4, 4), 0.5)
    expected[0, 0] = 1.5
    torch.testing.assert_close(found, expected)


def test_levels_without_gradients_and_negative_parts_give_nothing() -> None:
    level = torch.ones(1, 2, 2)
    for gradient in (None, -torch.ones(1, 2, 2)):
        assert torch.equal(combined([level], [gradient], hires_cam, (4, 4)), torch.zeros(4, 4))
