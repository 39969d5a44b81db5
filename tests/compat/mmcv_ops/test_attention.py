from __future__ import annotations

import pytest
import torch
from mmcv.ops import MultiScaleDeformableAttention
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction
from torch.autograd import gradcheck

from tests.helpers.mmcv_operands import LEVEL_SHAPES, attention_operands
from tests.reference import mmcv_ops as reference


def attend(value: torch.Tensor, places: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The function that mmcv's layer calls for CUDA tensors; it takes those of the CPU too."""
    shapes = torch.tensor(LEVEL_SHAPES)
    starts = torch.cat((shapes.new_zeros(1), shapes.prod(1).cumsum(0)[:-1]))
    return MultiScaleDeformableAttnFunction.apply(value, shapes, starts, places, weights, 64)


def test_against_reference() -> None:
    value, places, weights = attention_operands()
    expected = reference.ms_deform_attn(value, LEVEL_SHAPES, places, weights)
    torch.testing.assert_close(attend(value, places, weights), expected, rtol=1e-5, atol=1e-5)


def test_gradcheck() -> None:
    assert gradcheck(
        attend,
        [tensor.requires_grad_() for tensor in attention_operands(torch.float64)],
        fast_mode=True,
    )


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(dtype: torch.dtype) -> None:
    value, places, weights = (tensor.to(dtype).requires_grad_() for tensor in attention_operands())
    output = attend(value, places, weights)
    assert output.dtype == dtype
    expected = attend(value.float(), places.float(), weights.float())
    torch.testing.assert_close(output, expected.to(dtype))
    output.sum().backward()
    assert value.grad.dtype == places.grad.dtype == dtype


def test_layer_trains() -> None:
    torch.manual_seed(0)
    layer = MultiScaleDeformableAttention(8, num_heads=2, num_levels=3, num_points=2)
    layer.init_weights()
    shapes = torch.tensor(LEVEL_SHAPES)
    starts = torch.cat((shapes.new_zeros(1), shapes.prod(1).cumsum(0)[:-1]))
    query = torch.randn(3, 2, 8, requires_grad=True)
    output = layer(
        query,
        value=torch.randn(int(shapes.prod(1).sum()), 2, 8),
        reference_points=torch.rand(2, 3, 3, 2),
        spatial_shapes=shapes,
        level_start_index=starts,
    )
    assert output.shape == (3, 2, 8)
    output.sum().backward()
    assert query.grad.abs().sum() > 0
