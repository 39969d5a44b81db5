"""The head without waits has mmdet's losses and gradients; its assigner and loss have mmdet's."""

from __future__ import annotations

import copy
from inspect import signature
from typing import Any

import pytest
import torch
from mmdet.models.dense_heads import AnchorHead
from mmdet.models.dense_heads import RetinaSepBNHead as MMDetRetinaSepBNHead
from mmdet.models.losses import GIoULoss as MMDetGIoULoss
from mmdet.models.losses import L1Loss as MMDetL1Loss
from mmdet.models.task_modules.assigners import AssignResult, BaseAssigner
from mmdet.models.task_modules.assigners import MaxIoUAssigner as MMDetMaxIoUAssigner
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import Tensor

from effnet_dense.models import GIoULoss, L1Loss, MaxIoUAssigner, RetinaSepBNHead
from tests.helpers.documents import ROOT

CONFIG = Config.fromfile(ROOT / 'configs/_base_/models/retinanet_effnet_fpn.py').model
STRIDES = (8, 16, 32, 64, 128)


def heads(reg_decoded_bbox: bool, **assigner: Any) -> list[Any]:
    """Return our head and mmdet's, with the same parameters."""
    config = copy.deepcopy(CONFIG.bbox_head)
    config.update(num_classes=3, in_channels=8, feat_channels=8, stacked_convs=1)
    config.bbox_coder.target_stds = [0.1, 0.1, 0.2, 0.2]
    if reg_decoded_bbox:
        config.update(
            reg_decoded_bbox=True, loss_bbox=dict(type='effnet_dense.GIoULoss', loss_weight=2.0)
        )
    train_cfg = copy.deepcopy(CONFIG.train_cfg)
    train_cfg.assigner.update(assigner)
    config.pop('type')
    torch.manual_seed(0)
    ours = RetinaSepBNHead(**config, train_cfg=train_cfg)
    train_cfg.assigner.type = 'MaxIoUAssigner'
    config.loss_bbox.type = config.loss_bbox.type.removeprefix('effnet_dense.')
    theirs = MMDetRetinaSepBNHead(**config, train_cfg=train_cfg)
    theirs.load_state_dict(ours.state_dict())
    return [ours, theirs]


def truths(*counts: int) -> list[InstanceData]:
    """Return that many boxes for each image of 128 × 96 pixels."""
    random = torch.Generator().manual_seed(1)
    found = []
    for count in counts:
        corners = torch.rand(count, 2, generator=random) * 80
        sizes = 4 + 40 * torch.rand(count, 2, generator=random)
        labels = torch.randint(3, (count,), generator=random)
        boxes = torch.cat([corners, corners + sizes], 1)
        found.append(InstanceData(bboxes=boxes, labels=labels))
    return found


def losses(head: Any, shapes: list[tuple[int, int]]) -> tuple[dict[str, float], list[Tensor]]:
    """Return the losses of images padded to these shapes, of 128 × 96 at most, and gradients."""
    random = torch.Generator().manual_seed(2)
    levels = [
        torch.randn(len(shapes), 8, -(-96 // s), -(-128 // s), generator=random) for s in STRIDES
    ]
    metas = [dict(img_shape=shape, pad_shape=shape, scale_factor=(1, 1)) for shape in shapes]
    found = head.loss_by_feat(*head(levels), truths(5, 0, 1)[: len(shapes)], metas)
    totals = {name: torch.stack(list(values)).sum() if isinstance(values, list) else values
              for name, values in found.items()}  # fmt: skip
    sum(totals.values()).backward()
    gradients = [parameter.grad for parameter in head.parameters()]
    return {name: value.item() for name, value in totals.items()}, gradients


@pytest.mark.parametrize('decoded', [False, True])
@pytest.mark.parametrize(
    'shapes', [[(96, 128)] * 3, [(96, 128), (64, 96), (40, 100)], [(80, 90)] * 2]
)
@pytest.mark.parametrize('assigner', [{}, dict(neg_iou_thr=0.4), dict(min_pos_iou=0.3)])
def test_losses(decoded: bool, shapes: Any, assigner: dict[str, Any]) -> None:
    (ours, gradients), (theirs, expected) = (
        losses(head, shapes) for head in heads(decoded, **assigner)
    )
    assert ours == pytest.approx(theirs, rel=1e-5)
    assert theirs['loss_bbox'] > 0
    for found, right in zip(gradients, expected, strict=True):
        torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-5 * float(right.abs().max()))


@pytest.mark.parametrize(
    'options',
    [
        {},
        dict(neg_iou_thr=(0.1, 0.3)),
        dict(min_pos_iou=0.4),
        dict(gt_max_assign_all=False),
        dict(match_low_quality=False),
        dict(ignore_iof_thr=0.5),
    ],
)
def test_assigner(options: dict[str, Any]) -> None:
    random = torch.Generator().manual_seed(3)
    corners = (torch.rand(400, 2, generator=random) * 90).round()
    priors = torch.cat([corners, corners + 16], 1)  # many ties
    arguments: Any = {**dict(pos_iou_thr=0.5, neg_iou_thr=0.4), **options}
    for truth in truths(12, 1, 0):
        truth.bboxes = truth.bboxes.round()
        if len(truth):
            truth.bboxes[0] = priors[7]
            truth.bboxes[-1] = priors[7]  # two boxes with the same best prior
        given = InstanceData(priors=priors), truth, truths(2)[0]
        ours = MaxIoUAssigner(**arguments).assign(*given)
        theirs = MMDetMaxIoUAssigner(**arguments).assign(*given)
        assert torch.equal(ours.gt_inds, theirs.gt_inds)
        assert torch.equal(ours.max_overlaps, theirs.max_overlaps)
        assert torch.equal(ours.labels, theirs.labels)


class MiddleAssigner(BaseAssigner):
    """Assigns the one in the middle of the anchors that it is given."""

    def assign(self, pred_instances: Any, gt_instances: Any, *_: Any, **__: Any) -> AssignResult:
        count, truths = len(pred_instances), len(gt_instances)
        found = torch.zeros(count, dtype=torch.long)
        found[count // 2] = min(truths, 1)
        label = gt_instances.labels[0] if truths else -1
        return AssignResult(truths, found, found.float(), torch.where(found > 0, label, -1))


def test_other_assigners_see_the_anchors_of_the_image() -> None:
    shapes = [(96, 128), (64, 96), (40, 100)]
    found = []
    for head in heads(False):
        head.assigner = MiddleAssigner()
        found.append(losses(head, shapes)[0])
    assert found[0] == pytest.approx(found[1], rel=1e-5)


@pytest.mark.parametrize('thresholds', [(0.1, 0.2, 0.3), [0.4]])
def test_thresholds_of_the_assigner(thresholds: Any) -> None:
    with pytest.raises(ValueError, match=r'neg_iou_thr must be a number, or .* got [(\[]0\.'):
        MaxIoUAssigner(0.5, thresholds)
    assert signature(MaxIoUAssigner) == signature(MMDetMaxIoUAssigner)


@pytest.mark.parametrize('low', [0, 0.5])
def test_boxes_of_no_area(low: float) -> None:
    priors = torch.tensor([[0.0, 0, 10, 10], [30, 30, 50, 50], [7, 7, 7, 7]])
    truth = InstanceData(bboxes=priors[1:], labels=torch.tensor([1, 2]))
    ours, theirs = (
        kind(0.5, 0.5, low).assign(InstanceData(priors=priors), truth)
        for kind in (MaxIoUAssigner, MMDetMaxIoUAssigner)
    )
    assert torch.equal(ours.gt_inds, theirs.gt_inds)
    assert torch.equal(ours.max_overlaps, theirs.max_overlaps)


@pytest.mark.parametrize(('ours', 'theirs'), [(GIoULoss, MMDetGIoULoss), (L1Loss, MMDetL1Loss)])
def test_box_losses(ours: Any, theirs: Any) -> None:
    pred, target = truths(20)[0].bboxes.requires_grad_(), truths(20)[0].bboxes + 3
    weight = (torch.arange(20) % 3).float()[:, None].expand(-1, 4)
    found = ours(2.0)(pred, target, weight, avg_factor=torch.tensor(7.0))
    expected = theirs(loss_weight=2.0)(pred, target, weight, avg_factor=7.0)
    torch.testing.assert_close(found, expected)
    total = theirs(reduction='sum')(pred, target)
    torch.testing.assert_close(ours()(pred, target), total)
    for reduction in ('none', 'mean', 'sum'):
        results = [
            loss(pred, target, weight, reduction_override=reduction)
            for loss in (ours(2.0), theirs(loss_weight=2.0))
        ]
        torch.testing.assert_close(*results)
    with pytest.raises(ValueError, match="must be 'none', 'mean' or 'sum', got 'max'"):
        ours()(pred, target, reduction_override='max')
    with pytest.raises(ValueError, match='has no avg_factor, got both'):
        ours()(pred, target, avg_factor=2.0, reduction_override='sum')


@pytest.mark.parametrize(
    'options',
    [
        dict(sampler=dict(type='RandomSampler', num=9, pos_fraction=1)),
        dict(allowed_border=0),
        dict(pos_weight=2),
    ],
)
def test_what_mmdet_computes(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AnchorHead, 'loss_by_feat', lambda *args, **kwargs: args[1:])
    head = RetinaSepBNHead(3, 5, 8, train_cfg={**CONFIG.train_cfg, **options})
    assert head.loss_by_feat('scores', 'boxes') == ('scores', 'boxes')


@pytest.mark.parametrize(
    'loss', [dict(loss_cls=dict(type='GHMC')), dict(loss_bbox=dict(type='GHMR'))]
)
def test_losses_that_compare_the_anchors_of_a_level(
    loss: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AnchorHead, 'loss_by_feat', lambda *args, **kwargs: args[1:])
    head = RetinaSepBNHead(3, 5, 8, train_cfg=CONFIG.train_cfg, **loss)
    assert head.loss_by_feat('scores', 'boxes') == ('scores', 'boxes')


def test_for_inference() -> None:
    RetinaSepBNHead(3, 5, 8, train_cfg={})  # as mmdet's


def test_flags_of_padding_are_computed_where_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    head, devices = heads(False)[0], []
    levels = [torch.empty(1, 8, -(-96 // s), -(-128 // s), device='meta') for s in STRIDES]
    compute = head.prior_generator.valid_flags

    def spy(sizes: Any, shape: Any, device: Any) -> Any:
        devices.append(torch.device(device).type)
        return compute(sizes, shape, device)

    monkeypatch.setattr(head.prior_generator, 'valid_flags', spy)
    head._valid(levels, dict(pad_shape=(64, 96)))
    assert devices == ['meta'], 'the host waits for a copy of more than 64 KB'
