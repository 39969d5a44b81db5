"""Log-odds of sigmoid and softmax scores."""

from __future__ import annotations

import torch

from effnet_dense.inference.explaining.log_odds import log_odds


def test_the_sigmoid_of_log_odds_is_the_score() -> None:
    torch.manual_seed(0)
    logits = torch.randn(5, 3)
    torch.testing.assert_close(log_odds(logits, sigmoid=False).sigmoid(), logits.softmax(1))
    torch.testing.assert_close(log_odds(logits, sigmoid=True), logits)


def test_a_constant_does_not_change_the_odds_of_a_softmax() -> None:
    logits = torch.tensor([[1.0, 2.0]])
    torch.testing.assert_close(log_odds(logits + 7, sigmoid=False), torch.tensor([[-1.0, 1.0]]))
