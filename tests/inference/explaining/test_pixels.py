"""The score of a class in a label map."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from effnet_dense.inference.explaining.pixels import class_score, pixel_logits


def test_a_class_has_the_mean_log_odds_of_its_pixels() -> None:
    logits = torch.zeros(2, 2, 2)
    logits[1, 0] = torch.tensor([3.0, 5.0])
    mask = torch.zeros(4, 4, dtype=torch.bool)
    mask[:2] = True
    torch.testing.assert_close(class_score(logits, mask, 1), torch.tensor(4.0))
    torch.testing.assert_close(class_score(logits, mask, 0), torch.tensor(-4.0))
    mask[:1, :2] = False  # half of the first pixel
    torch.testing.assert_close(class_score(logits, mask, 1), torch.tensor((3 * 0.5 + 5) / 1.5))


def test_a_single_logit_is_that_of_two_classes() -> None:
    model = SimpleNamespace(decode_head=lambda levels: levels[0])
    logits = pixel_logits(model, [torch.full((1, 1, 2, 2), 3.0)])
    everywhere = torch.ones(2, 2, dtype=torch.bool)
    torch.testing.assert_close(class_score(logits, everywhere, 1), torch.tensor(3.0))
    torch.testing.assert_close(class_score(logits, everywhere, 0), torch.tensor(-3.0))
