"""Every operator gives on CUDA tensors what it gives on CPU tensors, gradients included."""

from __future__ import annotations

from collections.abc import Callable

import mmcv._ext as ext
import pytest
import torch
from mmcv.ops import (
    Voxelization,
    batched_nms,
    bbox_overlaps,
    bezier_align,
    box_iou_quadri,
    box_iou_rotated,
    carafe,
    carafe_naive,
    deform_conv2d,
    deform_roi_pool,
    modulated_deform_conv2d,
    nms,
    nms_match,
    nms_quadri,
    nms_rotated,
    roi_align,
    roi_align_rotated,
    roi_pool,
    sigmoid_focal_loss,
    soft_nms,
    softmax_focal_loss,
)
from mmcv.ops.masked_conv import masked_conv2d
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction
from mmcv.ops.psa_mask import psa_mask
from mmcv.ops.sync_bn import SyncBatchNormFunction
from torch import Tensor

from effnet_dense.analysis.waits.pretended_gpu import pretended_gpu
from tests.helpers.mmcv_operands import (
    LEVEL_SHAPES,
    ROIS,
    TARGETS,
    attention_operands,
    carafe_operands,
    deform_conv_operands,
    features,
    logits,
    roi_offsets,
    scored_boxes,
)

Result = tuple[Tensor, ...]
GEOMETRY = (2, 1, 1, 2, 2)


def differentiable(
    function: Callable[..., Tensor], inputs: tuple[Tensor, ...], device: str
) -> Result:
    """Return the function's output and its inputs' gradients, computed on the device."""
    moved = [tensor.detach().to(device).requires_grad_() for tensor in inputs]
    output = function(*moved)
    generator = torch.Generator().manual_seed(1)
    cotangent = torch.randn(output.shape, generator=generator).to(output)
    return (output, *torch.autograd.grad(output, moved, cotangent))


def suppression(device: str) -> Result:
    boxes, scores = (tensor.to(device) for tensor in scored_boxes(200, 0))
    classes = torch.arange(200, device=device) % 3
    config = dict(type='nms', iou_threshold=0.5, max_num=50)
    matches = nms_match(torch.cat((boxes, scores[:, None]), 1), 0.4)
    return (
        *nms(boxes, scores, 0.5, offset=1, score_threshold=0.1),
        *batched_nms(boxes, scores, classes, config),
        *soft_nms(boxes, scores, 0.4, method='naive'),
        *soft_nms(boxes, scores, 0.4, method='linear'),
        *soft_nms(boxes, scores, 0.4, method='gaussian'),
        torch.cat(matches),
    )


def overlaps(device: str) -> Result:
    boxes, _ = scored_boxes(40, 1)
    boxes = boxes.to(device)
    return (
        bbox_overlaps(boxes, boxes[:7], offset=1),
        bbox_overlaps(boxes, boxes.flip(0), mode='iof', aligned=True),
    )


def align(mode: str, sampling_ratio: int) -> Callable[[str], Result]:
    def run(device: str) -> Result:
        rois = ROIS.to(device)
        return differentiable(
            lambda x: roi_align(x, rois, (2, 3), 0.5, sampling_ratio, mode, True),
            (features(),),
            device,
        )

    return run


def pool(device: str) -> Result:
    rois = ROIS.to(device)
    return differentiable(lambda x: roi_pool(x, rois, (2, 3), 0.5), (features(),), device)


def deformable_pool(device: str) -> Result:
    rois = ROIS.to(device)
    inputs = (features(), roi_offsets())
    return differentiable(lambda x, o: deform_roi_pool(x, rois, o, (2, 3), 0.5), inputs, device)


def convolution_v1(device: str) -> Result:
    x, offset, _, weight, _ = deform_conv_operands(GEOMETRY)
    return differentiable(
        lambda x, o, w: deform_conv2d(x, o, w, *GEOMETRY), (x, offset, weight), device
    )


def convolution_v2(device: str) -> Result:
    return differentiable(
        lambda x, o, m, w, b: modulated_deform_conv2d(x, o, m, w, b, *GEOMETRY),
        deform_conv_operands(GEOMETRY),
        device,
    )


def attention(device: str) -> Result:
    shapes = torch.tensor(LEVEL_SHAPES, device=device)
    starts = torch.cat((shapes.new_zeros(1), shapes.prod(1).cumsum(0)[:-1]))
    return differentiable(
        lambda v, p, w: MultiScaleDeformableAttnFunction.apply(v, shapes, starts, p, w, 64),
        attention_operands(),
        device,
    )


def focal_loss(device: str) -> Result:
    targets = TARGETS.to(device)
    weight = torch.arange(1.0, 5.0, device=device)
    inputs = (logits(),)
    return (
        *differentiable(
            lambda x: sigmoid_focal_loss(x, targets, 2.0, 0.25, weight, 'none'), inputs, device
        ),
        *differentiable(
            lambda x: softmax_focal_loss(x, targets % 4, 2.0, 0.25, weight, 'mean'), inputs, device
        ),
    )


def masked_convolution(device: str) -> Result:
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(1, 3, 7, 6, generator=generator), torch.ones(4, 3, 3, 3)
    mask = (torch.rand(1, 7, 6, generator=generator) > 0.5).float()
    operands = (tensor.to(device) for tensor in (x, mask, weight, torch.zeros(4)))
    return (masked_conv2d(*operands, 1),)


def reassembly(function: Callable[..., Tensor]) -> Callable[[str], Result]:
    def run(device: str) -> Result:
        inputs = tuple(tensor.float() for tensor in carafe_operands(3, 2, 2))
        if function is carafe_naive and device == 'cpu':
            return differentiable(lambda f, m: carafe(f, m, 3, 2, 2), inputs, device)
        return differentiable(lambda f, m: function(f, m, 3, 2, 2), inputs, device)

    return run


def sync_bn(device: str) -> Result:
    running = torch.zeros(3, device=device), torch.ones(3, device=device)
    inputs = (features(), torch.tensor([0.5, 1.0, 2.0]), torch.tensor([0.0, -1.0, 1.0]))
    result = differentiable(
        lambda x, w, b: SyncBatchNormFunction.apply(
            x, *running, w, b, 0.1, 1e-5, None, 1, 'default'
        ),
        inputs,
        device,
    )
    return (*result, *running)


def psa(device: str) -> Result:
    x = torch.randn(2, 15, 3, 4, generator=torch.Generator().manual_seed(0))
    return tuple(
        tensor
        for kind in (0, 1)
        for tensor in differentiable(lambda x, kind=kind: psa_mask(x, kind, (3, 5)), (x,), device)
    )


def rotated(device: str) -> Result:
    generator = torch.Generator().manual_seed(0)
    boxes = torch.rand(60, 5, generator=generator) * torch.tensor([40, 40, 30, 30, 6.3])
    boxes, scores = boxes.to(device), torch.rand(60, generator=generator).to(device)
    quadrilaterals = torch.cat((boxes[:, :2], boxes[:, :2] + 9, boxes[:, 2:4], boxes[:, 2:4]), 1)
    return (
        box_iou_rotated(boxes, boxes[:7]),
        box_iou_quadri(quadrilaterals, quadrilaterals[:7]),
        *nms_rotated(boxes, scores, 0.3),
        *nms_quadri(quadrilaterals, scores, 0.3),
    )


def rotated_align(device: str) -> Result:
    rois = torch.tensor([[0, 7.3, 6.1, 9.7, 5.4, 0.4], [1, 8.0, 2.0, 7.0, 3.0, 2.0]]).to(device)
    beziers = torch.rand(3, 17, generator=torch.Generator().manual_seed(0)).to(device) * 14
    beziers[:, 0] = 1
    return (
        *differentiable(lambda x: roi_align_rotated(x, rois, (2, 3), 0.5), (features(),), device),
        *differentiable(lambda x: bezier_align(x, beziers, (2, 3), 0.5), (features(),), device),
    )


def point_clouds(device: str) -> Result:
    generator = torch.Generator().manual_seed(0)
    points = (torch.rand(1, 200, 3, generator=generator) * 6).to(device)
    boxes = (torch.rand(1, 9, 7, generator=generator) * 5).to(device)
    part = torch.empty(1, 200, dtype=torch.int, device=device)
    inside = torch.empty(1, 200, 9, dtype=torch.int, device=device)
    ext.points_in_boxes_part_forward(boxes, points, part)
    ext.points_in_boxes_all_forward(boxes, points, inside)
    limits = [0.0, 0.0, 0.0, 5.0, 5.0, 5.0]
    return part, inside, *Voxelization([1.0, 1.0, 1.0], limits, 2, 60)(points[0])


CASES: dict[str, Callable[[str], Result]] = {
    'nms': suppression,
    'bbox_overlaps': overlaps,
    'roi_align_avg_adaptive': align('avg', 0),
    'roi_align_avg': align('avg', 2),
    'roi_align_max_adaptive': align('max', 0),
    'roi_align_max': align('max', 2),
    'roi_pool': pool,
    'deform_roi_pool': deformable_pool,
    'deform_conv': convolution_v1,
    'modulated_deform_conv': convolution_v2,
    'ms_deform_attn': attention,
    'focal_loss': focal_loss,
    'masked_conv': masked_convolution,
    'carafe': reassembly(carafe),
    'carafe_naive': reassembly(carafe_naive),
    'psa_mask': psa,
    'rotated': rotated,
    'rotated_align': rotated_align,
    'point_clouds': point_clouds,
    'sync_bn': sync_bn,
}


NOT_PRETENDED = {
    'roi_align_max_adaptive',
    'roi_align_max',
    'deform_roi_pool',
    'deform_conv',
    'modulated_deform_conv',
    'focal_loss',
    'psa_mask',
    'rotated_align',
    'sync_bn',
}
"""What makes tensors of the GPU's device where the pretended one cannot intervene."""


@pytest.mark.parametrize('name', sorted(CASES.keys() - NOT_PRETENDED))
def test_pretended_gpu_equals_cpu(name: str) -> None:
    with pretended_gpu(lambda *_: None):
        on_gpu = CASES[name]('cuda')
        assert all(tensor.is_cuda for tensor in on_gpu)
        found = [tensor.cpu() for tensor in on_gpu]
    torch.testing.assert_close(found, list(CASES[name]('cpu')), rtol=1e-4, atol=1e-4)


@pytest.mark.gpu
@pytest.mark.parametrize('name', CASES)
def test_cuda_equals_cpu(name: str) -> None:
    """On the CPU: test_pretended_gpu_equals_cpu."""
    on_cuda, on_cpu = CASES[name]('cuda'), CASES[name]('cpu')
    for actual, expected in zip(on_cuda, on_cpu, strict=True):
        assert actual.is_cuda
        torch.testing.assert_close(actual.cpu(), expected, rtol=1e-4, atol=1e-4)


def check_autocast(name: str, device: str, dtype: torch.dtype) -> None:
    """Low-precision features with float32 coordinates, as mixed precision training has them."""
    from mmcv.ops import ModulatedDeformConv2dPack, MultiScaleDeformableAttention, RoIAlign

    torch.manual_seed(0)
    x = features().to(device).requires_grad_()
    with torch.autocast(device, dtype):
        if name == 'roi_align':
            output = RoIAlign((2, 2), 0.5)(x.to(dtype), ROIS.to(device, dtype))
        elif name == 'deform_conv':
            output = ModulatedDeformConv2dPack(3, 4, 3, padding=1).to(device)(x)
        else:
            layer = MultiScaleDeformableAttention(8, num_heads=2, num_levels=1).to(device)
            flat = torch.nn.Linear(3, 8).to(device)(x.flatten(2).transpose(1, 2))
            output = layer(
                flat[:, :5].transpose(0, 1),
                value=flat.transpose(0, 1),
                reference_points=torch.rand(2, 5, 1, 2, device=device),
                spatial_shapes=torch.tensor([[7, 9]], device=device),
                level_start_index=torch.tensor([0], device=device),
            )
    output.float().square().sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert x.grad.abs().sum() > 0


AUTOCAST = ['roi_align', 'deform_conv', 'attention']


@pytest.mark.parametrize('name', AUTOCAST)
def test_cpu_autocast(name: str) -> None:
    check_autocast(name, 'cpu', torch.bfloat16)


@pytest.mark.gpu
@pytest.mark.parametrize('name', AUTOCAST)
def test_cuda_autocast(name: str) -> None:
    """On the CPU: test_cpu_autocast."""
    check_autocast(name, 'cuda', torch.float16)
