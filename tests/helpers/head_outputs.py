"""Heads of shipped configs, and random outputs of all their levels."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor

from effnet_dense.engine.config import load_config

SIDES = (128, 256)
SHAPES = [(128, 256), (100, 201)]
"""Of two images within the padded input; boxes of the second one are cut at its own border."""
HEADS = {
    'efficientdet_lite0_finetune': {},
    'effnet_lite0_retinanet_finetune': {'model.test_cfg.min_bbox_size': 30},
    'effnet_b0_fcos_coco': {},
}


def head_and_levels(name: str, **options: Any) -> tuple[Any, tuple[list[Tensor], ...]]:
    """Return a shipped config's head, and random outputs of all its levels."""
    values = {'model.test_cfg.score_thr': 0.3, 'model.test_cfg.nms_pre': 40, **options}
    model = load_config(name, options=values).model
    init_default_scope('mmdet')
    head: Any = MODELS.build({**model.bbox_head, 'test_cfg': model.test_cfg})
    generator = torch.Generator().manual_seed(0)
    priors = head.num_base_priors
    widths = [priors * head.cls_out_channels, priors * 4, *[1] * (head.bbox_coder is not None)]
    scales = (1.0, 30.0 if 'fcos' in name else 0.7, 1.0)
    if 'fcos' not in name:
        widths = widths[:2]
    outputs = tuple(
        [
            torch.randn(2, width, SIDES[0] // s, SIDES[1] // s, generator=generator) * scale
            for s in (stride for stride, _ in head.prior_generator.strides)
        ]
        for width, scale in zip(widths, scales, strict=False)
    )
    if 'fcos' in name:
        outputs = (outputs[0], [level.abs() for level in outputs[1]], outputs[2])
    return head, outputs
