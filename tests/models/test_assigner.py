"""Matches by hand, and beside effdet's."""

import pytest
import torch
from mmengine.structures import InstanceData

from effnet_dense.models import ArgMaxAssigner
from effnet_dense.models.assigner import argmax_match

PRIORS = torch.tensor(
    [
        [0, 0, 10, 10],  # 0
        [0, 0, 10, 5],  # 1: half of anchor 0
        [0, 0, 10, 4],  # 2
        [20, 20, 30, 30],  # 3
        [20, 20, 60, 60],  # 4
    ],
    dtype=torch.float32,
)


def test_threshold_and_forced_matches():
    boxes = torch.tensor([[0.0, 0, 10, 10], [22, 22, 24, 24]])
    matched, overlaps = argmax_match(PRIORS, boxes, 0.5)
    # Anchors 0 and 1 overlap box 0 by 1 and ½, anchor 2 by 0.4; the tiny box forces anchor 3.
    assert matched.tolist() == [0, 0, -1, 1, -1]
    torch.testing.assert_close(overlaps, torch.tensor([1, 0.5, 0.4, 0.04, 4 / 1600]))


def test_two_boxes_with_one_best_anchor():
    """The first one keeps it, though the second overlaps more."""
    boxes = torch.tensor([[21.0, 21, 29, 29], [20, 20, 30, 30]])
    matched, _ = argmax_match(PRIORS, boxes, 0.5)
    assert matched.tolist() == [-1, -1, -1, 0, -1]


def test_no_boxes():
    matched, overlaps = argmax_match(PRIORS, torch.zeros(0, 4), 0.5)
    assert matched.tolist() == [-1] * 5
    assert overlaps.tolist() == [0] * 5


def test_result_in_mmdets_terms():
    result = ArgMaxAssigner(0.5).assign(
        InstanceData(priors=PRIORS),
        InstanceData(
            bboxes=torch.tensor([[0.0, 0, 10, 10], [22, 22, 24, 24]]), labels=torch.tensor([7, 3])
        ),
    )
    assert result.num_gts == 2
    assert result.gt_inds.tolist() == [1, 1, 0, 2, 0]
    assert result.labels.tolist() == [7, 7, -1, 3, -1]
    empty = ArgMaxAssigner().assign(
        InstanceData(priors=PRIORS),
        InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)),
    )
    assert empty.gt_inds.tolist() == [0] * 5


def test_effdets_targets():
    anchors = pytest.importorskip('effdet.anchors')
    from effnet_dense.models import EfficientDetAnchorGenerator

    theirs = anchors.Anchors(3, 7, 3, [(1.0, 1.0), (1.4, 0.7), (0.7, 1.4)], 4.0, (256, 256))
    priors = torch.cat(
        EfficientDetAnchorGenerator([8, 16, 32, 64, 128]).grid_priors(
            [(256 >> level, 256 >> level) for level in range(3, 8)], device='cpu'
        )
    )
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(40, 2, 2, generator=generator) * 256
    boxes = torch.cat([corners.amin(1), corners.amax(1) + 4], 1)
    labeler = anchors.AnchorLabeler(theirs, num_classes=40)
    classes, _, positives = labeler.label_anchors(boxes[:, [1, 0, 3, 2]], torch.arange(40) + 1)
    expected = torch.cat([level.flatten() for level in classes])
    matched, _ = argmax_match(priors, boxes, 0.5)
    assert torch.equal(matched, expected)
    assert int((matched >= 0).sum()) == int(positives)


@pytest.mark.parametrize('threshold', [0, 1.5, -1])
def test_bad_threshold(threshold):
    with pytest.raises(ValueError, match=f'above 0, up to 1; got {threshold}'):
        ArgMaxAssigner(threshold)
