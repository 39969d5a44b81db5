"""Active rotating filters (Zhou et al. 2017, arXiv:1701.01833): a kernel in R orientations.

Shapes: O output and I input channels, D orientations of a k × k kernel, E = D * k * k entries.
indices (D, k, k, R) tell, counted from 1, to which entry each one moves in each rotation.
"""

from __future__ import annotations

from torch import Tensor


def _targets(indices: Tensor) -> Tensor:
    """Return the entries' places (R, 1, E)."""
    return indices.flatten(0, 2).t().long()[:, None] - 1


def active_rotated_filter_forward(input: Tensor, indices: Tensor, output: Tensor) -> None:
    """Write the rotated kernels of input (O, I, D, k, k) to output (O * R, I * D, k, k)."""
    places = _targets(indices)
    shape = (len(input), len(places), input.shape[1], places.shape[2])
    kernels = input.flatten(2)[:, None].expand(shape)
    rotated = input.new_zeros(shape).scatter_(3, places.expand(shape), kernels)
    output.copy_(rotated.view(output.shape))


def active_rotated_filter_backward(grad_out: Tensor, indices: Tensor, grad_in: Tensor) -> None:
    """Write the gradient of the kernels (O, I, D, k, k), given that of the rotated ones."""
    places = _targets(indices)
    shape = (len(grad_in), len(places), grad_in.shape[1], places.shape[2])
    grads = grad_out.reshape(shape).gather(3, places.expand(shape)).sum(1)
    grad_in.copy_(grads.view(grad_in.shape))
