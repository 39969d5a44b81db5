"""Multi-scale deformable attention (Zhu et al. 2020, arXiv:2010.04159).

mmcv calls these for CUDA tensors. They run mmcv's own torch version, which it uses for CPU tensors.

Shapes: N images, M heads of D channels, L levels, P points, Q queries, S pixels of all levels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from effnet_dense.ops.precision import at_least_float32


def _attend(
    value: Tensor, spatial_shapes: Tensor, sampling_locations: Tensor, attention_weights: Tensor
) -> Tensor:
    """Return the attended values (N, Q, M * D), differentiable."""
    # mmcv.ops imports mmcv._ext, and with it this module, before it is fully imported itself.
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    # mmcv converts the shapes to Python integers one by one; on the CPU, one transfer suffices.
    return multi_scale_deformable_attn_pytorch(
        value, spatial_shapes.cpu(), sampling_locations, attention_weights
    )


def ms_deform_attn_forward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Return the attended values (N, Q, M * D).

    Args:
        value: (N, S, M, D), the levels concatenated.
        value_spatial_shapes: (L, 2), height and width of each level.
        value_level_start_index: (L,), unused: it follows from the shapes.
        sampling_locations: (N, Q, M, L, P, 2), (x, y) as fractions of the level's size.
        attention_weights: (N, Q, M, L, P).
        im2col_step: Unused, the batch is not split.
    """
    operands = at_least_float32(value, sampling_locations, attention_weights)
    return _attend(operands[0], value_spatial_shapes, *operands[1:]).to(value.dtype)


def ms_deform_attn_backward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Write the gradients of value, locations and weights from grad_output (N, Q, M * D)."""
    tensors = at_least_float32(value, sampling_locations, attention_weights)
    operands = [tensor.detach().requires_grad_() for tensor in tensors]
    with torch.enable_grad():
        output = _attend(operands[0], value_spatial_shapes, *operands[1:])
    grads = torch.autograd.grad(output, operands, grad_output.to(output.dtype))
    grad_value.copy_(grads[0])
    grad_sampling_loc.copy_(grads[1])
    grad_attn_weight.copy_(grads[2])
