"""Focal loss (Lin et al. 2017, arXiv:1708.02002) on N samples and C classes.

mmcv's kernels take the logarithm of a rounded probability, clamped at float32's smallest number:
with the sigmoid, the loss jumps to 87 at logits beyond ±17. These functions take the log-sigmoid of
the logit and are exact there; elsewhere the two agree.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from effnet_dense.ops.precision import at_least_float32


def _class_weights(weight: Tensor, target: Tensor) -> Tensor:
    """Return each sample's class weight (N,); 1 if weight (C,) is empty or lacks the class.

    The background, class C in the sigmoid's targets, has no weight.
    """
    if weight.numel() == 0:
        return weight.new_ones(len(target))
    known = (target >= 0) & (target < len(weight))
    return torch.where(known, weight[target.clamp(0, len(weight) - 1)], 1.0)


def _is_target(input: Tensor, target: Tensor) -> Tensor:
    """Return (N, C), True at each sample's class; all False in the background's rows."""
    return target[:, None] == torch.arange(input.shape[1], device=input.device)


def _at_target(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return each sample's class as an index (N, 1), its logit and whether it has one, (N, 1).

    The background's index is a valid one, too.
    """
    has_class = ((target >= 0) & (target < input.shape[1]))[:, None]
    index = target[:, None].clamp(0, max(input.shape[1] - 1, 0))
    return index, input.gather(1, index), has_class


def _write_with_targets(
    output: Tensor, negative: Tensor, positive: Tensor, index: Tensor, has_class: Tensor
) -> None:
    """Write negative (N, C) to output, but positive (N, 1) at the classes of samples with one."""
    positive = torch.where(has_class, positive, negative.gather(1, index))
    output.copy_(negative.scatter_(1, index, positive))


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Write the loss of logits input (N, C) and class indices target (N,) to output (N, C)."""
    if input.numel() == 0:
        return
    logits, weight = at_least_float32(input, weight)
    index, logit, has_class = _at_target(logits, target)
    positive = -alpha * (-logit).sigmoid().pow(gamma) * F.logsigmoid(logit)
    # All classes are computed as if they were not the target: one class of each sample is.
    negative = logits.sigmoid().pow_(gamma).mul_(_softplus(logits)).mul_(1 - alpha)
    if weight.numel() > 0:
        factors = _class_weights(weight, target)[:, None]
        positive, negative = positive * factors, negative.mul_(factors)
    _write_with_targets(output, negative, positive, index, has_class)


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Write the derivative of each loss by its logit to grad_input (N, C)."""
    if input.numel() == 0:
        return
    logits, weight = at_least_float32(input, weight)
    index, logit, has_class = _at_target(logits, target)
    p, q = logit.sigmoid(), (-logit).sigmoid()
    positive = -alpha * q.pow(gamma) * (q - gamma * p * F.logsigmoid(logit))
    p = logits.sigmoid()
    negative = torch.addcmul(p, _softplus(logits), 1 - p, value=gamma)
    negative = negative.mul_(p.pow_(gamma)).mul_(1 - alpha)
    if weight.numel() > 0:
        factors = _class_weights(weight, target)[:, None]
        positive, negative = positive * factors, negative.mul_(factors)
    _write_with_targets(grad_input, negative, positive, index, has_class)


def _softplus(logits: Tensor) -> Tensor:
    """Return -log(1 - sigmoid(logits)), exact up to where it equals the logit in float64, too."""
    return F.softplus(logits, threshold=60)


def _probability_of_target(softmax: Tensor, target: Tensor) -> Tensor:
    """Return the probability (N,) of each sample's class, above 0; 1 if it has none."""
    chosen = softmax.gather(1, target.clamp(min=0)[:, None])[:, 0]
    return torch.where(target >= 0, chosen, 1.0).clamp(min=torch.finfo(softmax.dtype).tiny)


def softmax_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Write the loss of probabilities input (N, C), after softmax, to output (N,).

    A negative target is ignored: its loss is 0.
    """
    softmax, weight = at_least_float32(input, weight)
    p = _probability_of_target(softmax, target)
    loss = -alpha * (1 - p).pow(gamma) * p.log()
    output.copy_(loss * _class_weights(weight, target))


def softmax_focal_loss_backward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    buff: Tensor,
    grad_input: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Write the loss's derivative by the logits to grad_input (N, C).

    input holds the probabilities; buff (N,) receives the derivative by the target's log
    probability.
    """
    softmax, weight = at_least_float32(input, weight)
    p = _probability_of_target(softmax, target)
    # For γ < 1 the power of 1 - p = 0 is infinite, but the product is 0, since log p = 0.
    q = (1 - p).clamp(min=torch.finfo(p.dtype).tiny)
    by_log_p = alpha * (gamma * q.pow(gamma - 1) * p * p.log() - (1 - p).pow(gamma))
    by_log_p = torch.where(target >= 0, by_log_p * _class_weights(weight, target), 0.0)
    buff.copy_(by_log_p)
    grad_input.copy_(by_log_p[:, None] * (_is_target(softmax, target).to(p.dtype) - softmax))
