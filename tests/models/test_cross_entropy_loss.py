"""Weighted cross-entropy: by hand, torch's own, and ignored pixels."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from effnet_dense.models import CrossEntropyLoss
from effnet_dense.models.cross_entropy_loss import weighted_cross_entropy

IGNORE = 255
WEIGHTS = torch.tensor([1.0, 3.0, 0.5])


def draw() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, generator=generator, requires_grad=True)
    labels = torch.randint(3, (2, 4, 5), generator=generator)
    labels[:, 2:] = IGNORE
    return logits, labels


def test_by_hand() -> None:
    """Even odds of the first pixel cost ln 2; the second has 3 : 1 against it, and weight 3."""
    logits = torch.tensor([[[[0.0, math.log(3)]], [[0.0, 0.0]]]])
    labels = torch.tensor([[[0, 1]]])
    loss = weighted_cross_entropy(logits, labels, torch.tensor([1.0, 3.0]))
    assert loss.item() == pytest.approx((math.log(2) + 3 * math.log(4)) / 4)


@pytest.mark.parametrize('class_weight', [None, WEIGHTS])
def test_torch_has_the_same(class_weight: torch.Tensor | None) -> None:
    logits, labels = draw()
    ours = weighted_cross_entropy(logits, labels, class_weight)
    theirs = F.cross_entropy(logits, labels, class_weight, ignore_index=IGNORE)
    torch.testing.assert_close(ours, theirs)
    gradients = [torch.autograd.grad(loss, logits)[0] for loss in (ours, theirs)]
    torch.testing.assert_close(*gradients)
    assert not gradients[0][:, :, 2:].any()


def test_weights_of_pixels() -> None:
    """A sampler's zeros leave pixels out of the sum."""
    logits, labels = draw()
    pixels = torch.zeros(2, 4, 5)
    pixels[0, 0, 0] = 1
    one = weighted_cross_entropy(logits[:1, :, :1, :1], labels[:1, :1, :1])
    loss = weighted_cross_entropy(logits, labels, None, pixels)
    assert loss.item() == pytest.approx(one.item() / 20)  # of 20 pixels that count


def test_nothing_but_ignored_pixels() -> None:
    logits, labels = draw()
    loss = weighted_cross_entropy(logits, torch.full_like(labels, IGNORE), WEIGHTS)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None and not logits.grad.any()


def test_module() -> None:
    logits, labels = draw()
    module = CrossEntropyLoss(class_weight=WEIGHTS.tolist(), loss_weight=0.5)
    assert module.loss_name == 'loss_ce'
    half = module(logits.bfloat16(), labels, weight=None, ignore_index=IGNORE)
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(
        0.5 * weighted_cross_entropy(logits, labels, WEIGHTS).item(), rel=1e-2
    )
    with pytest.raises(ValueError, match=r'class_weight must have 3 numbers.*got \[1\.0\]'):
        CrossEntropyLoss(class_weight=[1.0])(logits, labels)


def test_one_channel_is_the_binary_cross_entropy() -> None:
    logits, _ = draw()
    logits = logits[:, :1].detach().requires_grad_()
    labels = torch.randint(2, (2, 4, 5), generator=torch.Generator().manual_seed(1))
    labels[:, 3] = IGNORE
    loss = CrossEntropyLoss(class_weight=[1.0, 3.0])(logits, labels)
    counted = labels != IGNORE
    weight = 1 + 2.0 * labels[counted]
    expected = F.binary_cross_entropy_with_logits(
        logits[:, 0][counted], labels[counted].float(), weight, reduction='sum'
    )
    torch.testing.assert_close(loss, expected / weight.sum())
    assert logits.grad is None and torch.autograd.grad(loss, logits)[0].abs().sum() > 0
