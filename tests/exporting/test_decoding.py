"""Decoding with fixed shapes finds what mmdet's heads find image by image."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor

from effnet_dense.engine.config import load_config
from effnet_dense.exporting.decoding import Decoder, check_head
from effnet_dense.exporting.network import DetectionNetwork, expected_distances
from effnet_dense.models.dense_losses import flatten_levels
from tests.helpers.head_outputs import HEADS, SHAPES, SIDES, head_and_levels


@pytest.mark.parametrize('name', HEADS)
def test_candidates_are_those_of_the_head(name: str) -> None:
    head, outputs = head_and_levels(name, **HEADS[name])
    check_candidates(head, outputs, outputs)


def test_distributions_of_distances_are_those_of_gfl() -> None:
    """Their means are distances from the centres of anchors, here up to 16 strides."""
    options = {'model.test_cfg.score_thr': 0.3, 'model.test_cfg.nms_pre': 40}
    model = load_config('effnet_b0_gfl_coco', options=options).model
    init_default_scope('mmdet')
    head: Any = MODELS.build({**model.bbox_head, 'test_cfg': model.test_cfg})
    draw = torch.Generator().manual_seed(0)
    strides = [stride for stride, _ in head.prior_generator.strides]
    logits, bins = (
        [torch.randn(2, width, SIDES[0] // s, SIDES[1] // s, generator=draw) for s in strides]
        for width in (head.cls_out_channels, 4 * 17)
    )
    pairs = zip(bins, strides, strict=True)
    distances = [expected_distances(level * 3, stride) for level, stride in pairs]
    check_candidates(head, (logits, [level * 3 for level in bins]), (logits, distances))


def test_a_distribution_by_hand() -> None:
    """Two bins in a ratio of 1 : 3 lie at 0.75 strides, on all sides."""
    bins = torch.tensor([1.0, 3.0]).log().repeat(4)[None, :, None, None]
    assert torch.allclose(expected_distances(bins, 8), torch.full((1, 4, 1, 1), 6.0))


def check_candidates(head: Any, outputs: Any, ours: Any) -> None:
    """Compare the decoder's candidates with the head's.

    Args:
        head: Of mmdet's interface.
        outputs: The head's own, lists of levels.
        ours: The exported network's.
    """
    metas = [dict(img_shape=shape, scale_factor=(1.0, 1.0)) for shape in SHAPES]
    with torch.no_grad():
        wanted = head.predict_by_feat(
            *outputs, batch_img_metas=metas, cfg=head.test_cfg, with_nms=False
        )
        raw = [
            flatten_levels(levels, width)
            for levels, width in zip(ours, (head.cls_out_channels, 4, 1), strict=False)
        ]
        boxes, scores, labels = Decoder(head, SIDES)(
            *raw[:2], torch.tensor(SHAPES).float(), *raw[2:]
        )
    for image, expected in enumerate(wanted):
        kept = scores[image] > 0
        assert 10 < kept.sum() == len(expected)
        found = _ordered(boxes[image][kept], scores[image][kept], labels[image][kept])
        for value, reference in zip(
            found, _ordered(expected.bboxes, expected.scores, expected.labels), strict=True
        ):
            torch.testing.assert_close(value, reference, rtol=1e-5, atol=1e-3)


def _ordered(boxes: Tensor, scores: Tensor, labels: Tensor) -> list[Tensor]:
    order = scores.argsort(descending=True, stable=True)
    return [value[order] for value in (boxes, scores, labels)]


def test_fewer_candidates_by_choice() -> None:
    head, outputs = head_and_levels('efficientdet_lite0_finetune')
    raw = [flatten_levels(x, n) for x, n in zip(outputs, (head.cls_out_channels, 4), strict=True)]
    sizes = torch.tensor(SHAPES).float()
    assert Decoder(head, SIDES)(*raw, sizes)[1].shape == (2, 40)
    assert Decoder(head, SIDES, limit=15)(*raw, sizes)[1].shape == (2, 15)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(use_sigmoid_cls=False), 'FCOSHead has no sigmoid scores'),
        (dict(bbox_coder=torch.nn.Identity()), 'expected bbox_coder to be Delta.*got Identity'),
    ],
)
def test_other_heads_are_refused(changes: dict[str, Any], message: str) -> None:
    head, _ = head_and_levels('effnet_b0_fcos_coco')
    for name, value in changes.items():
        delattr(head, name)
        setattr(head, name, value)
    with pytest.raises(ValueError, match=message):
        check_head(head)


def test_heads_with_their_own_decoding_are_refused() -> None:
    init_default_scope('mmdet')
    head = MODELS.build(dict(type='YOLOXHead', num_classes=3, in_channels=8, feat_channels=8))
    with pytest.raises(ValueError, match='YOLOXHead has its own predict_by_feat and _bbox_post'):
        check_head(head)


def test_the_network_joins_its_levels() -> None:
    config = load_config('efficientdet_lite0_finetune')
    config.model.backbone.init_cfg = None
    init_default_scope('mmdet')
    model: Any = MODELS.build(config.model).eval()
    images = torch.randn(1, 3, 128, 128)
    with torch.no_grad():
        logits, deltas = DetectionNetwork(model)(images)
        levels = model.bbox_head(model.extract_feat(images))
    classes = model.bbox_head.cls_out_channels
    torch.testing.assert_close(logits, flatten_levels(levels[0], classes), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(deltas, flatten_levels(levels[1], 4), rtol=1e-4, atol=1e-4)
