"""The Jaccard loss against numbers derived by hand and against the hard IoU in the limit."""

from __future__ import annotations

import pytest
import torch

from effnet_dense.models import JaccardLoss
from effnet_dense.models.jaccard_loss import jaccard_loss

IGNORE = 255


def test_by_hand() -> None:
    """Two pixels, even odds: class 0 has ½ of 1 + ½ (the other's) → ⅓, class 1 likewise."""
    logits = torch.zeros(1, 2, 1, 2)
    assert jaccard_loss(logits, torch.tensor([[[0, 1]]])).item() == pytest.approx(2 / 3)


def test_absent_classes_do_not_count() -> None:
    """Both pixels of class 0, whose probability is ¼ of four: ½ of 2, nothing else is averaged."""
    logits = torch.zeros(1, 4, 1, 2)
    assert jaccard_loss(logits, torch.tensor([[[0, 0]]])).item() == pytest.approx(1 - 0.5 / 2)


def test_ignored_pixels_are_nowhere() -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    labels = torch.randint(3, (2, 4, 4))
    labels[:, 2:] = IGNORE
    loss = jaccard_loss(logits, labels)
    torch.testing.assert_close(loss, jaccard_loss(logits[:, :, :2], labels[:, :2]))
    loss.backward()
    assert logits.grad is not None
    assert logits.grad[:, :, :2].abs().min() > 0
    assert not logits.grad[:, :, 2:].any()


def test_nothing_but_ignored_pixels() -> None:
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    loss = jaccard_loss(logits, torch.full((1, 2, 2), IGNORE))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None and not logits.grad.any()


def test_sure_predictions_give_the_metric() -> None:
    """Logits of ±50 are hard decisions: the loss is 1 − the mean IoU of the label maps."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(3, (2, 9, 7), generator=generator)
    predicted = torch.randint(3, (2, 9, 7), generator=generator)
    logits = 100.0 * torch.nn.functional.one_hot(predicted, 3).movedim(-1, 1)
    ious = [
        ((labels == c) & (predicted == c)).sum() / ((labels == c) | (predicted == c)).sum()
        for c in range(3)
    ]
    assert jaccard_loss(logits, labels).item() == pytest.approx(1 - sum(ious).item() / 3)


def test_gradcheck() -> None:
    logits = torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([[[0, 1], [1, IGNORE]], [[0, 0], [1, 1]]])
    assert torch.autograd.gradcheck(lambda x: jaccard_loss(x, labels), [logits])


def test_half_precision_is_summed_in_float32() -> None:
    """Half a million pixels: their sum overflows float16 and is coarse in bfloat16."""
    logits = torch.zeros(1, 2, 700, 700, dtype=torch.bfloat16)
    labels = torch.arange(490_000).view(1, 700, 700) % 2
    loss = jaccard_loss(logits, labels)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(2 / 3, abs=1e-5)


def test_module() -> None:
    module = JaccardLoss(loss_weight=0.5)
    logits, labels = torch.zeros(1, 2, 1, 2), torch.tensor([[[0, 1]]])
    assert module(logits, labels, weight=None, ignore_index=IGNORE).item() == pytest.approx(1 / 3)
    assert module.loss_name == 'loss_jaccard'


def test_one_channel_has_two_classes() -> None:
    """Three pixels at even odds, one of class 1: ½ of 1 + 1 and 1 of 2 + ½."""
    loss = JaccardLoss()(torch.zeros(1, 1, 1, 3), torch.tensor([[[0, 0, 1]]]))
    assert loss.item() == pytest.approx(1 - (1 / 2.5 + 0.5 / 2) / 2)
