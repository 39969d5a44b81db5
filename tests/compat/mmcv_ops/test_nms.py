from __future__ import annotations

from itertools import chain

import mmcv._ext as ext
import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from mmcv.ops import batched_nms, nms, nms_match, soft_nms

from tests.helpers.mmcv_operands import scored_boxes
from tests.reference import mmcv_ops as reference


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', [0.0, 0.3, 0.7, 1.0])
def test_nms_against_reference(offset: int, threshold: float) -> None:
    boxes, scores = scored_boxes(60, 0)
    dets, indices = nms(boxes, scores, threshold, offset=offset)
    assert indices.tolist() == reference.nms(boxes, scores, threshold, offset)
    torch.testing.assert_close(dets, torch.cat((boxes, scores[:, None]), 1)[indices])


def test_offset_decides() -> None:
    # IoU 50 / 150 = 0.333 without, 66 / 176 = 0.375 with the offset
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [5.0, 0.0, 15.0, 10.0]])
    scores = torch.tensor([0.9, 0.8])
    assert nms(boxes, scores, 0.35, offset=0)[1].tolist() == [0, 1]
    assert nms(boxes, scores, 0.35, offset=1)[1].tolist() == [0]


def test_nms_against_torchvision() -> None:
    boxes, scores = scored_boxes(500, 1)
    expected = torchvision.ops.nms(boxes, scores, 0.5)
    assert nms(boxes, scores, 0.5)[1].tolist() == expected.tolist()


def test_score_threshold_and_count() -> None:
    boxes, scores = scored_boxes(60, 2)
    _, all_kept = nms(boxes, scores, 0.5)
    _, kept = nms(boxes, scores, 0.5, score_threshold=0.4)
    assert kept.tolist() == [i for i in all_kept.tolist() if scores[i] > 0.4]
    assert len(kept) < len(all_kept)
    _, first = nms(boxes, scores, 0.5, score_threshold=0.4, max_num=5)
    assert first.tolist() == kept[:5].tolist()
    assert len(nms(boxes, scores, 0.5, score_threshold=2.0)[1]) == 0


def test_nms_empty_numpy_and_half() -> None:
    dets, indices = nms(torch.zeros(0, 4), torch.zeros(0), 0.5)
    assert dets.shape == (0, 5)
    assert indices.dtype == torch.long
    boxes, scores = scored_boxes(30, 3)
    dets, indices = nms(boxes.numpy(), scores.numpy(), 0.5)
    assert isinstance(dets, np.ndarray)
    assert indices.tolist() == nms(boxes, scores, 0.5)[1].tolist()
    half = boxes.bfloat16(), scores.bfloat16()
    expected = nms(half[0].float(), half[1].float(), 0.5)[1]
    assert nms(*half, 0.5)[1].tolist() == expected.tolist()


@pytest.mark.parametrize('split', [10000, 10])
def test_batched_nms_keeps_classes_apart(split: int) -> None:
    boxes, scores = scored_boxes(60, 4)
    classes = torch.arange(60) % 3
    dets, keep = batched_nms(
        boxes, scores, classes, dict(type='nms', iou_threshold=0.3, split_thr=split)
    )
    expected = {
        index
        for c in range(3)
        for index in (classes == c)
        .nonzero()[:, 0][torchvision.ops.nms(boxes[classes == c], scores[classes == c], 0.3)]
        .tolist()
    }
    assert set(keep.tolist()) == expected
    assert dets[:, 4].tolist() == scores[keep].sort(descending=True)[0].tolist()
    _, agnostic = batched_nms(
        boxes, scores, classes, dict(type='nms', iou_threshold=0.3), class_agnostic=True
    )
    assert agnostic.tolist() == torchvision.ops.nms(boxes, scores, 0.3).tolist()
    assert len(agnostic) < len(keep)


@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('min_score', [1e-3, 0.2])
def test_soft_nms_against_reference(method: str, offset: int, min_score: float) -> None:
    boxes, scores = scored_boxes(50, 5)
    dets, indices = soft_nms(boxes, scores, 0.3, 0.5, min_score, method, offset)
    taken, lowered = reference.soft_nms(boxes, scores, 0.3, 0.5, min_score, method, offset)
    assert indices.tolist() == taken
    torch.testing.assert_close(dets[:, 4], torch.tensor(lowered), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(dets[:, :4], boxes[indices])
    assert (dets[:, 4] < scores[indices]).any() or method == 'naive'
    assert len(taken) < len(boxes) or (method != 'naive' and min_score < 0.1)


def test_soft_nms_hand_values() -> None:
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 5.0, 10.0, 15.0], [40.0, 0.0, 50.0, 10.0]])
    scores = torch.tensor([0.9, 0.8, 0.5])  # the first two overlap by a third
    dets, indices = soft_nms(boxes, scores, iou_threshold=0.3, method='linear')
    assert indices.tolist() == [0, 1, 2]
    torch.testing.assert_close(dets[:, 4], torch.tensor([0.9, 0.8 * 2 / 3, 0.5]))
    dets, _ = soft_nms(boxes, scores, sigma=0.5, method='gaussian')
    expected = 0.8 * torch.tensor(-(1 / 9) / 0.5).exp()
    torch.testing.assert_close(dets[1, 4], expected)


def test_soft_nms_naive_is_nms() -> None:
    boxes, scores = scored_boxes(60, 6)
    _, soft = soft_nms(boxes, scores, 0.4, method='naive')
    assert soft.tolist() == nms(boxes, scores, 0.4)[1].tolist()


def test_soft_nms_limits() -> None:
    dets, indices = soft_nms(torch.zeros(0, 4), torch.zeros(0))
    assert dets.shape == (0, 5)
    assert len(indices) == 0
    # The first is taken although it is below the minimum, as in mmcv; the second is dropped.
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], [5.0, 5.0, 6.0, 6.0]])
    dets, indices = soft_nms(boxes, torch.tensor([1e-4, 2e-4]), min_score=1e-3)
    assert indices.tolist() == [1]
    # Boxes without area leave each other alone.
    flat = torch.tensor([[3.0, 1.0, 3.0, 1.0]]).repeat(3, 1)
    for method in ('linear', 'gaussian'):
        dets, _ = soft_nms(flat, torch.tensor([0.9, 0.5, 0.4]), method=method)
        torch.testing.assert_close(dets[:, 4], torch.tensor([0.9, 0.5, 0.4]))


def test_batched_soft_nms() -> None:
    boxes, scores = scored_boxes(40, 7)
    classes = torch.arange(40) % 2
    dets, keep = batched_nms(boxes, scores, classes, dict(type='soft_nms', iou_threshold=0.3))
    assert dets[:, 4].tolist() == sorted(dets[:, 4].tolist(), reverse=True)
    assert (dets[:, 4] <= scores[keep]).all()
    assert (dets[:, 4] < scores[keep]).any()


def test_unknown_method() -> None:
    import mmcv._ext

    boxes, scores = scored_boxes(3, 8)
    with pytest.raises(ValueError, match=r'0 \(naive\), 1 \(linear\) or 2 \(gaussian\), got 3'):
        mmcv._ext.softnms(boxes, scores, torch.zeros(3, 5), 0.3, 0.5, 1e-3, 3, 0)


def test_nms_match_groups() -> None:
    boxes, scores = scored_boxes(60, 9)
    dets = torch.cat((boxes, scores[:, None]), 1)
    groups = [group.tolist() for group in nms_match(dets, 0.4)]
    assert [group[0] for group in groups] == nms(boxes, scores, 0.4)[1].tolist()
    assert sorted(chain.from_iterable(groups)) == list(range(60))
    for group in groups:
        assert scores[group].tolist() == sorted(scores[group].tolist(), reverse=True)
        assert all(reference.iou(boxes[group[0]], boxes[other]) >= 0.4 for other in group[1:])
    assert max(map(len, groups)) > 1


def test_nms_match_includes_the_threshold_and_empty() -> None:
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0, 0.8], [0.0, 0.0, 10.0, 20.0, 0.9]])  # IoU 1/2
    assert [group.tolist() for group in nms_match(boxes, 0.5)] == [[1, 0]]
    assert nms_match(torch.zeros(0, 5), 0.5) == []
    assert [group.tolist() for group in nms_match(boxes.numpy(), 0.6)] == [[1], [0]]


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(1, 3000),
    classes=st.sampled_from([1, 2, 7, 80, 5000]),
    threshold=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    seed=st.integers(0, 999),
)
def test_many_boxes_equal_torchvision(
    count: int, classes: int, threshold: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    corners = torch.randint(60, (count, 2), generator=generator).float()
    corners += 100.0 * torch.randint(classes, (count, 1), generator=generator)
    sizes = torch.randint(30, (count, 2), generator=generator)  # some without area
    boxes = torch.cat((corners, corners + sizes), 1)
    scores = torch.randint(50, (count,), generator=generator) / 50  # many equal ones
    expected = torchvision.ops.nms(boxes, scores, threshold)
    assert torch.equal(ext.nms(boxes, scores, threshold, 0), expected)


@pytest.mark.parametrize('value', [torch.nan, torch.inf, -torch.inf])
def test_boxes_that_are_no_numbers_among_many(value: float) -> None:
    boxes, scores = scored_boxes(1500, 3)
    boxes[::3] += 200
    boxes[7, 2] = boxes[8, 0] = value
    expected = torchvision.ops.nms(boxes, scores, 0.5)
    assert torch.equal(ext.nms(boxes, scores, 0.5, 0), expected)


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(0, 60),
    threshold=st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.5]),
    seed=st.integers(0, 999),
)
def test_nms_match_against_reference(count: int, threshold: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    corners = torch.randint(8, (count, 2), generator=generator)
    sizes = torch.randint(5, (count, 2), generator=generator)
    scores = torch.randint(9, (count, 1), generator=generator)
    dets = torch.cat((corners, corners + sizes, scores), 1).float()
    assert ext.nms_match(dets, threshold) == reference.nms_match(dets, threshold)
