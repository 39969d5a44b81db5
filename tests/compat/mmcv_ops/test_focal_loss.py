from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
import torchvision
from mmcv.ops import sigmoid_focal_loss, softmax_focal_loss
from torch.autograd import gradcheck

from tests.helpers.mmcv_operands import TARGETS, logits

SETTINGS = [(2.0, 0.25), (0.0, 0.5), (1.5, 0.75), (0.5, 1.0)]


@pytest.mark.parametrize(('gamma', 'alpha'), SETTINGS)
@pytest.mark.parametrize('reduction', ['none', 'mean', 'sum'])
def test_sigmoid_equals_torchvision(gamma: float, alpha: float, reduction: str) -> None:
    ours, theirs = logits().requires_grad_(), logits().requires_grad_()
    one_hot = F.one_hot(TARGETS, 5)[:, :4].float()
    actual = sigmoid_focal_loss(ours, TARGETS, gamma, alpha, None, reduction)
    expected = torchvision.ops.sigmoid_focal_loss(theirs, one_hot, alpha, gamma)
    if reduction != 'none':
        expected = expected.sum() / (7 if reduction == 'mean' else 1)  # mmcv's mean: by samples
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)
    actual.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)


def test_sigmoid_by_hand() -> None:
    loss = sigmoid_focal_loss(torch.zeros(1, 2), torch.tensor([0]), 2.0, 0.25, None, 'none')
    half = 0.25 * math.log(2)  # (1 - p)² · -log p at p = 1/2
    torch.testing.assert_close(loss, torch.tensor([[0.25 * half, 0.75 * half]]))


@pytest.mark.parametrize('weighted', [True, False])
@pytest.mark.parametrize(('gamma', 'alpha'), SETTINGS)
def test_gradcheck(gamma: float, alpha: float, weighted: bool) -> None:
    weight = torch.rand(4, dtype=torch.float64) if weighted else None
    x = logits(torch.float64).requires_grad_()
    assert gradcheck(lambda x: sigmoid_focal_loss(x, TARGETS, gamma, alpha, weight, 'none'), x)
    targets = TARGETS.remainder(4)
    assert gradcheck(lambda x: softmax_focal_loss(x, targets, gamma, alpha, weight, 'mean'), x)


@pytest.mark.parametrize(('gamma', 'alpha'), SETTINGS)
def test_softmax_against_log_softmax(gamma: float, alpha: float) -> None:
    targets = TARGETS.remainder(4)
    log_p = logits().log_softmax(1)[torch.arange(7), targets]
    expected = -alpha * (1 - log_p.exp()) ** gamma * log_p
    actual = softmax_focal_loss(logits(), targets, gamma, alpha, None, 'none')
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-6)
    for reduction, divisor in (('sum', 1), ('mean', 7)):
        reduced = softmax_focal_loss(logits(), targets, gamma, alpha, None, reduction)
        torch.testing.assert_close(reduced, expected.sum() / divisor, rtol=1e-4, atol=1e-6)


def test_class_weights() -> None:
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0])
    plain = sigmoid_focal_loss(logits(), TARGETS, 2.0, 0.25, None, 'none')
    weighted = sigmoid_focal_loss(logits(), TARGETS, 2.0, 0.25, weight, 'none')
    factors = torch.tensor([1.0, 4.0, 2.0, 1.0, 3.0, 1.0, 1.0])  # the background counts once
    torch.testing.assert_close(weighted, plain * factors[:, None])
    targets = TARGETS.remainder(4)
    plain = softmax_focal_loss(logits(), targets, 2.0, 0.25, None, 'none')
    weighted = softmax_focal_loss(logits(), targets, 2.0, 0.25, weight, 'none')
    torch.testing.assert_close(weighted, plain * weight[targets])


@pytest.mark.parametrize('value', [-1e4, -100.0, -20.0, 20.0, 100.0, 1e4])
def test_extreme_logits(value: float) -> None:
    x = torch.tensor([[value]], requires_grad=True)
    loss = sigmoid_focal_loss(x, torch.tensor([1]), 2.0, 0.25, None, 'sum')  # background
    torch.testing.assert_close(loss.item(), 0.75 * max(value, 0.0), rtol=1e-5, atol=1e-6)
    loss.backward()
    torch.testing.assert_close(x.grad.item(), 0.75 * float(value > 0), rtol=1e-5, atol=1e-6)
    loss = sigmoid_focal_loss(x, torch.tensor([0]), 2.0, 0.25, None, 'sum')
    torch.testing.assert_close(loss.item(), 0.25 * max(-value, 0.0), rtol=1e-5, atol=1e-6)
    for gamma in (0.0, 0.5, 2.0):
        x = torch.tensor([[value, 0.0]], requires_grad=True)
        softmax_focal_loss(x, torch.tensor([0]), gamma, 0.25, None, 'sum').backward()
        assert x.grad.isfinite().all()


@pytest.mark.parametrize('gamma', [0.0, 2.0])
def test_ignored_and_empty(gamma: float) -> None:
    x = logits()[:2].requires_grad_()
    loss = softmax_focal_loss(x, torch.tensor([-1, 2]), gamma, 0.25, torch.ones(4), 'sum')
    alone = softmax_focal_loss(x[1:], torch.tensor([2]), gamma, 0.25, None, 'sum')
    torch.testing.assert_close(loss, alone)
    loss.backward()
    assert x.grad[0].abs().sum() == 0
    assert x.grad[1].abs().sum() > 0
    for function in (sigmoid_focal_loss, softmax_focal_loss):
        empty = torch.zeros(0, 4, requires_grad=True)
        function(empty, torch.zeros(0, dtype=torch.long), gamma, 0.25, None, 'sum').backward()
        assert empty.grad.shape == (0, 4)


def test_half_precision() -> None:
    x = logits().bfloat16().requires_grad_()
    loss = sigmoid_focal_loss(x, TARGETS, 2.0, 0.25, None, 'none')
    expected = sigmoid_focal_loss(x.float(), TARGETS, 2.0, 0.25, None, 'none')
    torch.testing.assert_close(loss, expected.bfloat16())
    loss.sum().backward()
    assert x.grad.isfinite().all()
