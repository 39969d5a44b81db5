"""Check a training step and a prediction of a detector."""

from __future__ import annotations

import torch
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmengine.config import ConfigDict
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from effnet_dense.models import BiFPN


def check_step(model: nn.Module, losses: dict[str, Tensor | list[Tensor]]) -> None:
    """Backpropagate the sum; every gradient is finite, backbone and BiFPN have one throughout."""
    total, _ = model.parse_losses(losses)
    total.backward()
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            assert torch.isfinite(parameter.grad).all(), name
    gradients = {name: p.grad for name, p in model.backbone.named_parameters()}
    if isinstance(getattr(model, 'neck', None), BiFPN):
        gradients |= {f'neck.{name}': p.grad for name, p in model.neck.named_parameters()}
    assert all(gradient is not None for gradient in gradients.values())
    assert sum(gradient.abs().sum() for gradient in gradients.values()) > 0


def check_detector(config: ConfigDict, with_mask: bool) -> None:
    """Check the losses' gradients on two images of different shapes, and a prediction."""
    init_default_scope('mmdet')
    shrink(config)
    torch.manual_seed(0)
    model = revert_sync_batchnorm(MODELS.build(config))
    model.init_weights()

    batch = demo_mm_inputs(2, [[3, 96, 128], [3, 128, 96]], num_classes=80, with_mask=with_mask)
    data = model.data_preprocessor(batch, training=True)
    check_step(model.train(), model(**data, mode='loss'))

    model.eval()
    batch = demo_mm_inputs(1, [[3, 96, 128]], num_classes=80)
    with torch.no_grad():
        (sample,) = model(**model.data_preprocessor(batch, training=False), mode='predict')
    boxes = sample.pred_instances.bboxes
    assert boxes.shape == (len(sample.pred_instances.scores), 4)
    assert torch.isfinite(boxes).all()
    if with_mask:
        assert sample.pred_instances.masks.shape[1:] == tuple(sample.ori_shape)


def shrink(config: ConfigDict) -> None:
    """Use fewer proposals and narrower fully connected layers, for a tenth of the time."""
    if 'roi_head' not in config:
        return
    heads = config.roi_head.bbox_head
    for head in heads if isinstance(heads, list) else [heads]:
        head.fc_out_channels = 64
    for cfg in (config.train_cfg.rpn_proposal, config.test_cfg.rpn):
        cfg.max_per_img = 50
