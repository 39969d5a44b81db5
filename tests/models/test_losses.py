"""Losses: numbers by hand, mmdet's focal loss, and gradients."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from effnet_dense.models import FocalLoss, HuberLoss
from effnet_dense.models.losses import focal_loss


def test_focal_loss_by_hand():
    # At logit 0: (½)^1.5 · ln 2, weighed ¼ for the own class and ¾ for the other two.
    unit = 0.5**1.5 * math.log(2)
    loss = focal_loss(torch.zeros(1, 3), torch.tensor([1]))
    assert loss.item() == pytest.approx(unit * (0.25 + 2 * 0.75))
    background = focal_loss(torch.zeros(1, 3), torch.tensor([3]))
    assert background.item() == pytest.approx(unit * 3 * 0.75)


def test_focal_loss_at_the_limits():
    logits = torch.tensor([[100.0, -100.0]], requires_grad=True)
    assert focal_loss(logits, torch.tensor([0])).item() == 0
    wrong = focal_loss(logits, torch.tensor([1]))  # 100 · (¼ + ¾)
    assert wrong.item() == pytest.approx(100)
    wrong.backward()
    assert logits.grad.tolist() == [[pytest.approx(0.75), pytest.approx(-0.25)]]


def test_focal_loss_of_nothing():
    logits = torch.zeros(0, 3, requires_grad=True)
    loss = focal_loss(logits, torch.zeros(0, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.shape == (0, 3)


@pytest.mark.parametrize(('alpha', 'gamma'), [(0.25, 2.0), (0.25, 1.5), (0.6, 0.5)])
def test_focal_loss_is_mmdets(alpha, gamma):
    from mmdet.models.losses.focal_loss import py_sigmoid_focal_loss

    generator = torch.Generator().manual_seed(0)
    ours = (5 * torch.randn(50, 7, generator=generator, dtype=torch.float64)).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    labels = torch.randint(8, (50,), generator=generator)
    weight = torch.rand(50, generator=generator, dtype=torch.float64)
    loss = FocalLoss(alpha=alpha, gamma=gamma, loss_weight=3.0)(ours, labels, weight, avg_factor=4)
    one_hot = torch.nn.functional.one_hot(labels, 8)[:, :7]
    expected = 3 * py_sigmoid_focal_loss(
        theirs, one_hot, weight[:, None], gamma=gamma, alpha=alpha, avg_factor=4
    )
    torch.testing.assert_close(loss, expected)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_gradient_of_focal_loss():
    logits = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 3, 3, 0])
    weight = torch.tensor([1.0, 1, 0, 1, 0.5, 2], dtype=torch.float64)
    assert gradcheck(lambda x: focal_loss(x, labels), logits)
    assert gradcheck(lambda x: focal_loss(x, labels, weight, gamma=2.0), logits)


def test_half_precision_is_computed_in_single():
    logits = torch.full((2, 2), 30.0, dtype=torch.bfloat16, requires_grad=True)
    loss = focal_loss(logits, torch.tensor([0, 0]))
    assert loss.dtype == torch.float32
    loss.backward()
    assert logits.grad.dtype == torch.bfloat16


def test_focal_loss_saves_the_logits_alone():
    saved = set()

    def pack(tensor):
        saved.add((tensor.untyped_storage().data_ptr(), tensor.untyped_storage().nbytes()))
        return tensor

    logits = torch.randn(100, 9, requires_grad=True)
    labels = torch.randint(10, (100,))
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        focal_loss(logits, labels)
    assert {size for _, size in saved} == {100 * 9 * 4, 100 * 8}


def test_softmax_is_refused():
    with pytest.raises(ValueError, match='needs use_sigmoid=True'):
        FocalLoss(use_sigmoid=False)


def test_huber_loss_by_hand():
    # ½ · 0.05² = 0.00125 within δ = 0.1; 0.1 · (0.3 − 0.05) = 0.025 beyond; mean of four.
    pred = torch.tensor([[0.05, 0.3, 0.0, 0.0], [0.0, 0.0, 0.0, -0.3]])
    loss = HuberLoss(delta=0.1, loss_weight=50.0)
    total = loss(pred, torch.zeros(2, 4), avg_factor=2)
    assert total.item() == pytest.approx(50 * (0.00125 + 0.025 + 0.025) / 4 / 2)
    weight = torch.tensor([[1.0] * 4, [0.0] * 4])
    assert loss(pred, torch.zeros(2, 4), weight).item() == pytest.approx(50 * 0.02625 / 4)


def test_huber_loss_is_a_scaled_smooth_l1_of_mmdet():
    from mmdet.models.losses import SmoothL1Loss

    pred, target = torch.randn(20, 4), torch.randn(20, 4)
    torch.testing.assert_close(
        HuberLoss()(pred, target, avg_factor=3),
        SmoothL1Loss(beta=0.1, loss_weight=1.25)(pred, target, avg_factor=3),
    )
