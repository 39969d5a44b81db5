"""EfficientDet's head inside mmdet's single-stage detector: losses by hand, boxes, and options."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from mmdet.testing import demo_mm_inputs
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import Tensor

from effnet_dense.models import EfficientDetHead
from effnet_dense.models.dense_losses import flatten_levels

STRIDES = [8, 16, 32]
SIZES = [(8, 12), (4, 6), (2, 3)]  # of an image of 64 × 96
META = dict(img_shape=(64, 96), scale_factor=(0.5, 0.5))


def head(**options: Any) -> EfficientDetHead:
    torch.manual_seed(0)
    return EfficientDetHead(
        **{
            'num_classes': 5,
            'in_channels': 8,
            'stacked_convs': 2,
            'anchor_generator': dict(
                type='effnet_dense.EfficientDetAnchorGenerator', strides=STRIDES
            ),
            'bbox_coder': dict(type='mmdet.DeltaXYWHBBoxCoder'),
            'train_cfg': ConfigDict(assigner=dict(type='effnet_dense.ArgMaxAssigner')),
            'test_cfg': ConfigDict(
                nms_pre=5000, nms=dict(type='nms', iou_threshold=0.5), max_per_img=100
            ),
            **options,
        }
    )


def predictions(images: int = 2, classes: int = 5) -> tuple[list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    logits = [torch.randn(images, 9 * classes, *size, generator=generator) for size in SIZES]
    deltas = [0.3 * torch.randn(images, 9 * 4, *size, generator=generator) for size in SIZES]
    return logits, deltas


def truth(boxes: list[list[float]], labels: list[int]) -> InstanceData:
    return InstanceData(
        bboxes=torch.tensor(boxes).reshape(-1, 4), labels=torch.tensor(labels, dtype=torch.long)
    )


@pytest.fixture(autouse=True)
def scope() -> None:
    init_default_scope('mmdet')


def test_outputs():
    logits, deltas = head()([torch.randn(2, 8, *size) for size in SIZES])
    assert [tuple(x.shape) for x in logits] == [(2, 45, *size) for size in SIZES]
    assert [tuple(x.shape) for x in deltas] == [(2, 36, *size) for size in SIZES]


def test_convolutions_are_shared_and_norms_are_not():
    names = {name for name, _ in head().named_parameters()}
    for tower in ('cls', 'reg'):
        assert {name for name in names if name.startswith(f'{tower}_convs')} == {
            f'{tower}_convs.{repeat}.{part}.weight'
            for repeat in range(2)
            for part in ('depthwise', 'pointwise')
        }
        assert {name for name in names if name.startswith(f'{tower}_norms')} == {
            f'{tower}_norms.{repeat}.{level}.{what}'
            for repeat in range(2)
            for level in range(3)
            for what in ('weight', 'bias')
        }


def test_objects_are_rare_at_first():
    model = head()
    assert model.cls_predict.pointwise.bias.tolist() == pytest.approx([-math.log(99)] * 45)
    assert model.reg_predict.pointwise.bias.tolist() == [0] * 36


def test_flattening_goes_by_levels_rows_columns_anchors():
    level = torch.arange(2 * 6 * 2 * 3).view(2, 6, 2, 3)  # two anchors of three channels
    flat = flatten_levels([level, level[:, :, :1, :1]], 3)
    assert flat.shape == (2, 14, 3)
    assert flat[0, 0].tolist() == [0, 6, 12]  # channels 0–2 of the first cell
    assert flat[0, 1].tolist() == [18, 24, 30]  # its second anchor
    assert flat[0, 2].tolist() == [1, 7, 13]  # the next column
    assert flat[1, 12].tolist() == [36, 42, 48]  # the second image's next level


def test_loss_without_objects():
    """Every anchor is a negative, and the normaliser is 1."""
    logits, deltas = predictions(1)
    zeros = [torch.zeros_like(x) for x in logits]
    losses = head().loss_by_feat(zeros, deltas, [truth([], [])], [META])
    anchors = 9 * sum(rows * columns for rows, columns in SIZES)
    expected = anchors * 5 * 0.75 * 0.5**1.5 * math.log(2)
    assert losses['loss_cls'].item() == pytest.approx(expected)
    assert losses['loss_bbox'].item() == 0


def test_loss_of_one_object():
    """A box that is one anchor moved by (1, 2) pixels: its delta and nobody else's are compared."""
    model = head()
    anchor = model.prior_generator.grid_priors(SIZES, device='cpu')[0][9 * (12 * 4 + 6)]  # 32 × 32
    box = anchor + torch.tensor([1.0, 2, 1, 2])
    zeros = [[torch.zeros_like(x) for x in part] for part in predictions(1)]
    losses = model.loss_by_feat(*zeros, [truth([box.tolist()], [3])], [META])
    priors = torch.cat(model.prior_generator.grid_priors(SIZES, device='cpu'))
    positives = model.assigner.assign(
        InstanceData(priors=priors), truth([box.tolist()], [3])
    ).gt_inds.nonzero()[:, 0]
    assert len(positives) > 1
    targets = model.bbox_coder.encode(priors[positives], box.expand(len(positives), 4))
    per_anchor = torch.where(
        targets.abs() < 0.1, targets**2 / 2, 0.1 * (targets.abs() - 0.05)
    ).mean(1)
    expected = 50 * per_anchor.sum() / (len(positives) + 1)
    assert losses['loss_bbox'].item() == pytest.approx(expected.item(), rel=1e-5)


def test_ignored_anchors_do_not_count():
    """mmdet's assigner with a band between 0.4 and 0.5."""
    assigner = dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0)
    with_band = head(train_cfg=ConfigDict(assigner=assigner))
    without = head(train_cfg=ConfigDict(assigner={**assigner, 'neg_iou_thr': 0.5}))
    logits, deltas = predictions(1)
    box = truth([[10.0, 10, 50, 40]], [1])
    losses = [model.loss_by_feat(logits, deltas, [box], [META]) for model in (with_band, without)]
    priors = torch.cat(with_band.prior_generator.grid_priors(SIZES, device='cpu'))
    assigned = with_band.assigner.assign(InstanceData(priors=priors), box).gt_inds
    x = flatten_levels(logits, 5)[0][assigned < 0]
    left_out = 0.75 * (x.sigmoid() ** 1.5 * torch.nn.functional.softplus(x)).sum()
    normaliser = int((assigned > 0).sum()) + 1
    difference = losses[1]['loss_cls'] - losses[0]['loss_cls']
    assert len(x) > 0
    assert difference.item() == pytest.approx(left_out.item() / normaliser, rel=1e-3)


def test_losses_on_boxes():
    """With reg_decoded_bbox a loss sees boxes in pixels."""
    logits, deltas = predictions(1)
    iou = head(reg_decoded_bbox=True, loss_bbox=dict(type='GIoULoss'))
    box = iou.prior_generator.grid_priors(SIZES, device='cpu')[0][9 * 54]
    losses = iou.loss_by_feat(logits, [0 * x for x in deltas], [truth([box.tolist()], [0])], [META])
    priors = torch.cat(iou.prior_generator.grid_priors(SIZES, device='cpu'))
    from mmdet.structures.bbox import bbox_overlaps

    overlaps = bbox_overlaps(priors, box[None])[:, 0]
    positive = overlaps >= 0.5
    giou = bbox_overlaps(priors[positive], box[None], mode='giou')
    expected = (1 - giou).sum() / (positive.sum() + 1)
    assert losses['loss_bbox'].item() == pytest.approx(expected.item(), rel=1e-5)


def reference_boxes(model, logits, deltas, count):
    """All anchors and classes, one after the other."""
    priors = torch.cat(model.prior_generator.grid_priors(SIZES, device='cpu'))
    found = []
    scores = flatten_levels(logits, 5)[0].sigmoid()
    moves = flatten_levels(deltas, 4)[0]
    for anchor, prior in enumerate(priors.tolist()):
        width, height = prior[2] - prior[0], prior[3] - prior[1]
        dx, dy, dw, dh = moves[anchor].tolist()
        x, y = (prior[0] + prior[2]) / 2 + dx * width, (prior[1] + prior[3]) / 2 + dy * height
        w, h = width * math.exp(dw) / 2, height * math.exp(dh) / 2
        corners = (x - w, y - h, x + w, y + h)
        box = [min(max(c, 0), side) for c, side in zip(corners, (96, 64) * 2, strict=True)]
        found += [(score, label, box) for label, score in enumerate(scores[anchor].tolist())]
    found.sort(key=lambda entry: -entry[0])
    return found[:count]


def test_best_scores_of_all_levels_and_classes():
    model = head()
    logits, deltas = predictions(1)
    cfg = ConfigDict(nms_pre=40)
    (result,) = model.predict_by_feat(
        logits, deltas, batch_img_metas=[META], cfg=cfg, with_nms=False
    )
    expected = reference_boxes(model, logits, deltas, 40)
    assert result.labels.tolist() == [label for _, label, _ in expected]
    assert result.scores.tolist() == pytest.approx([score for score, _, _ in expected])
    torch.testing.assert_close(
        result.bboxes, torch.tensor([box for *_, box in expected]), atol=1e-4, rtol=1e-5
    )


def test_score_threshold_and_rescaling():
    model = head()
    logits, deltas = predictions(1)
    cfg = ConfigDict(nms_pre=1000, score_thr=0.9)
    plain, rescaled = (
        model.predict_by_feat(
            logits, deltas, batch_img_metas=[META], cfg=cfg, with_nms=False, rescale=rescale
        )[0]
        for rescale in (False, True)
    )
    every = flatten_levels(logits, 5)[0].sigmoid()
    assert len(plain) == int((every > 0.9).sum()) > 0
    torch.testing.assert_close(rescaled.bboxes, 2 * plain.bboxes)


@pytest.mark.parametrize('method', ['nms', 'soft_nms'])
def test_suppression(method):
    """Of two boxes of one class that overlap, the lower one goes or loses; another class stays."""
    model = head()
    results = InstanceData(
        bboxes=torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 8], [30, 30, 40, 40]]),
        scores=torch.tensor([0.9, 0.8, 0.7, 0.6]),
        labels=torch.tensor([1, 1, 2, 1]),
    )
    nms = dict(type='nms', iou_threshold=0.5)
    if method == 'soft_nms':
        nms = dict(type='soft_nms', iou_threshold=0.3, sigma=0.5, min_score=1e-3, method='gaussian')
    cfg = ConfigDict(nms=nms, max_per_img=100)
    kept = model._bbox_post_process(results, cfg, img_meta=META)
    if method == 'nms':
        assert kept.labels.tolist() == [1, 2, 1]
        assert kept.scores.tolist() == pytest.approx([0.9, 0.7, 0.6])
    else:
        assert kept.labels.tolist() == [1, 2, 1, 1]
        assert kept.scores.tolist() == pytest.approx(
            [0.9, 0.7, 0.6, 0.8 * math.exp(-(0.8**2) / 0.5)]
        )
    cfg = ConfigDict(nms=nms, max_per_img=2)
    assert len(model._bbox_post_process(results, cfg, img_meta=META)) == 2


@pytest.mark.parametrize('nms', ['nms', 'soft_nms'])
@pytest.mark.parametrize('size', [(512, 512), (500, 333), (641, 427)])
def test_input_sizes_in_a_detector(size, nms):
    """Whatever the size: a loss, `loss_and_predict`, and boxes inside the image."""
    from mmdet.registry import MODELS

    torch.manual_seed(0)
    model = MODELS.build(
        ConfigDict(
            type='RetinaNet',
            data_preprocessor=dict(type='DetDataPreprocessor', bgr_to_rgb=True),
            backbone=dict(type='effnet_dense.EfficientNet', arch=dict(width=0.25, depth=0.2)),
            neck=dict(
                type='effnet_dense.BiFPN', in_channels=(16, 32, 80), out_channels=16, num_cells=1
            ),
            bbox_head=dict(
                type='effnet_dense.EfficientDetHead',
                num_classes=5,
                in_channels=16,
                stacked_convs=1,
                bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
            ),
            train_cfg=dict(assigner=dict(type='effnet_dense.ArgMaxAssigner')),
            test_cfg=dict(nms_pre=500, nms=dict(type=nms, iou_threshold=0.5), max_per_img=10),
        )
    )
    batch = demo_mm_inputs(2, [[3, *size], [3, *size]], num_classes=5)
    data = model.data_preprocessor(batch, training=True)
    total, _ = model.parse_losses(model(**data, mode='loss'))
    total.backward()
    assert all(
        parameter.grad is not None and torch.isfinite(parameter.grad).all()
        for parameter in model.parameters()
    )
    losses, results = model.bbox_head.loss_and_predict(
        model.extract_feat(data['inputs']), data['data_samples']
    )
    assert set(losses) == {'loss_cls', 'loss_bbox'}
    for result in results:
        assert 0 < len(result) <= 10
        assert (result.bboxes >= 0).all()
        assert (result.bboxes <= torch.tensor([size[1], size[0]] * 2)).all()


def test_bad_losses_and_levels():
    with pytest.raises(ValueError, match='loss_cls must have use_sigmoid=True, got'):
        head(loss_cls=dict(type='CrossEntropyLoss'))
    with pytest.raises(ValueError, match='anchors for 3 levels, got 2 features'):
        head()([torch.randn(1, 8, 4, 4)] * 2)
