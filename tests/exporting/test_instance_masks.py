"""Masks of RTMDet-Ins with fixed shapes, beside mmdet's."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.registry import MODELS, init_default_scope

from effnet_dense.engine.config import load_config
from effnet_dense.exporting.decoding import check_head
from effnet_dense.exporting.instance_masks import DynamicMasks

SIDES = (64, 96)
KEPT = 6


def test_masks_are_those_of_the_head() -> None:
    config = load_config('effnet_b0_rtmdet_ins_coco').model.bbox_head
    init_default_scope('mmdet')
    small: dict[str, Any] = dict(in_channels=8, feat_channels=8, num_classes=2, stacked_convs=1)
    head: Any = MODELS.build({**config, **small})
    check_head(head)
    strides = [stride for stride, _ in head.prior_generator.strides]
    sides = [(SIDES[0] // stride, SIDES[1] // stride) for stride in strides]
    count = sum(height * width for height, width in sides)
    generator = torch.Generator().manual_seed(0)
    kernels = torch.randn(2, count, head.num_gen_params, generator=generator)
    prototypes = torch.randn(2, head.num_prototypes, *sides[0], generator=generator)
    candidates = torch.randint(0, count, (2, 20), generator=generator)
    places = torch.randint(0, 20, (2, KEPT), generator=generator)
    found = DynamicMasks(head, SIDES)(places, candidates, kernels, prototypes)
    priors = torch.cat(head.prior_generator.grid_priors(sides, device='cpu', with_stride=True))
    for image in range(2):
        chosen = candidates[image][places[image]]
        wanted = head._mask_predict_by_feat_single(
            prototypes[image], kernels[image][chosen], priors[chosen]
        )
        assert wanted.shape == (KEPT, *sides[0])
        torch.testing.assert_close(found[image], wanted, rtol=1e-4, atol=1e-4)
