"""The main configs on a CUDA device that need not exist: every tensor has to be on it.

PyTorch's fake tensors refuse operators on tensors of two devices, as a GPU would.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._pytree import tree_leaves

from effnet_dense.analysis.memory.fake_model import replace_tensors
from effnet_dense.analysis.memory.model import build_model
from effnet_dense.engine.config import load_config
from tests.helpers.versions import is_before

pytestmark = pytest.mark.skipif(
    is_before('torch', '2.11'),  # the oldest later version that was run
    reason='PyTorch 2.6 aborts where autograd meets a fake CUDA tensor and there is no CUDA driver',
)

DETECTORS = (
    *('efficientdet_d0_coco', 'efficientdet_lite0_finetune', 'effnet_b3_retinanet_coco'),
    *('effnet_b0_faster_rcnn_coco', 'effnet_b0_fcos_coco'),
)
SEGMENTORS = (
    *('efficientdet_d4_seg_voc2012', 'effnet_b0_fpn_ade20k', 'effnet_b3_deeplabv3plus_ade20k'),
    *('effnet_b5_upernet_ade20k', 'effnet_lite0_bifpn_camvid'),
)


def outputs(model: Any) -> list[Tensor]:
    """The outputs of backbone, neck and head for two images, on cuda:0."""
    fakes = FakeTensorMode()

    def on_cuda(tensor: Tensor) -> Tensor:
        with fakes:
            return torch.empty(tensor.shape, dtype=tensor.dtype, device='cuda:0')

    replace_tensors(model, on_cuda)
    with fakes:
        images = torch.empty(2, 3, 128, 128, device='cuda:0')
        if hasattr(model, 'decode_head'):
            return [model(images, mode='tensor')]
        head = model.rpn_head if hasattr(model, 'rpn_head') else model.bbox_head
        return tree_leaves(head(model.extract_feat(images)))


@pytest.mark.slow
@pytest.mark.parametrize('name', DETECTORS + SEGMENTORS)
def test_every_tensor_is_on_the_device(name: str) -> None:
    found = outputs(build_model(load_config(name)))
    assert found
    for tensor in found:
        assert isinstance(tensor, FakeTensor)
        assert tensor.device == torch.device('cuda:0')


def test_a_tensor_that_is_not_is_caught() -> None:
    class Forgetful(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * torch.ones(x.shape[1], 1, 1)

    model = build_model(load_config('efficientdet_d0_coco'))
    model.backbone.layers[0] = nn.Sequential(model.backbone.layers[0], Forgetful())
    with pytest.raises(RuntimeError, match=r'two .*devices,? cuda:0.* cpu'):
        outputs(model)
