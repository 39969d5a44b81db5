"""Soft-NMS by hand, beside a slow reference to the last bit, and beside effdet's."""

import math

import numpy as np
import pytest
import torch
from mmcv.ops import soft_nms

from effnet_dense.analysis.waits.pretended_gpu import pretended_gpu
from effnet_dense.ops.soft_nms import batched_soft_nms

METHODS = ['gaussian', 'linear', 'naive']


def crowd(count, classes, seed=0, dtype=torch.float64):
    """Boxes in heaps, with classes of 1, 2, 3, … shares of them."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*size):
        return torch.rand(*size, generator=generator, dtype=torch.float64)

    heaps = 20 + 200 * draw(6, 2)
    centre = heaps[torch.arange(count) % len(heaps)] + 20 * draw(count, 2)
    size = 20 + 40 * draw(count, 2)
    boxes = torch.cat((centre - size / 2, centre + size / 2), 1)
    labels = torch.multinomial(
        torch.arange(1.0, classes + 1), count, replacement=True, generator=generator
    )
    return boxes.to(dtype), draw(count).to(dtype), labels


def overlap(a, b):
    """IoU of two boxes of NumPy's scalars; 0 where they do not meet."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = width * height
    if width <= 0 or height <= 0 or common == 0:
        return common * 0
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def one_after_the_other(boxes, scores, labels, sigma, min_score, method, iou_threshold):
    """The definition, box by box, in the type of the scores."""
    boxes, labels = boxes.numpy(), labels.tolist()
    left = dict(enumerate(scores.numpy()))
    taken, lowered = [], []
    while left:
        best = max(left, key=left.__getitem__)  # the first one, of equal scores
        taken.append(best)
        lowered.append(left.pop(best))
        for index in list(left):
            if labels[index] == labels[best]:
                iou = overlap(boxes[best], boxes[index])
                if method == 'gaussian':
                    left[index] *= np.exp(-(iou * iou) / type(iou)(sigma))
                elif iou >= iou_threshold:
                    left[index] *= 1 - iou if method == 'linear' else 0
            if left[index] <= type(left[index])(min_score):
                del left[index]
    return taken, torch.from_numpy(np.stack(lowered))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('classes', [1, 12])
def test_equals_the_definition_to_the_last_bit(method, classes, dtype):
    boxes, scores, labels = crowd(120, classes, dtype=dtype)
    options = dict(sigma=0.4, min_score=0.02, method=method, iou_threshold=0.3)
    indices, lowered = batched_soft_nms(boxes, scores, labels, **options)
    taken, expected = one_after_the_other(boxes, scores, labels, **options)
    assert indices.tolist() == taken
    assert torch.equal(lowered, expected)
    assert len(taken) < len(boxes)
    assert (lowered < scores[indices]).any() or method == 'naive'


@pytest.mark.parametrize('gaussian', [True, False])
@pytest.mark.parametrize('classes', [1, 12])
def test_equals_effdets(classes, gaussian):
    """In float64, where the offsets by which effdet keeps classes apart cost nothing visible."""
    peer = pytest.importorskip('effdet.soft_nms')
    boxes, scores, labels = crowd(500, classes, seed=1)
    expected, expected_scores = peer.batched_soft_nms(
        boxes,
        scores,
        labels,
        method_gaussian=gaussian,
        sigma=0.5,
        iou_threshold=0.3,
        score_threshold=0.01,
    )
    indices, lowered = batched_soft_nms(
        boxes, scores, labels, min_score=0.01, method='gaussian' if gaussian else 'linear'
    )
    assert indices.tolist() == expected.tolist()
    assert len(indices) < 500
    # effdet returns float32 whatever it is given.
    torch.testing.assert_close(lowered.float(), expected_scores, rtol=2e-7, atol=0)


def test_by_hand():
    boxes = torch.tensor([[0.0, 5, 10, 15], [0, 0, 10, 10], [40, 0, 50, 10], [0, 0, 10, 10]])
    scores = torch.tensor([0.8, 0.9, 0.5, 0.7])  # the first two overlap by a third
    labels = torch.tensor([7, 7, 7, 2])
    indices, lowered = batched_soft_nms(boxes, scores, labels, sigma=0.5)
    assert indices.tolist() == [1, 3, 0, 2]
    assert lowered.tolist() == pytest.approx([0.9, 0.7, 0.8 * math.exp(-(1 / 9) / 0.5), 0.5])
    indices, lowered = batched_soft_nms(boxes, scores, labels, method='linear')
    assert indices.tolist() == [1, 3, 0, 2]
    assert lowered.tolist() == pytest.approx([0.9, 0.7, 0.8 * 2 / 3, 0.5])
    indices, lowered = batched_soft_nms(boxes, scores, labels, method='linear', iou_threshold=0.4)
    assert lowered.tolist() == pytest.approx([0.9, 0.8, 0.7, 0.5])
    indices, lowered = batched_soft_nms(boxes, scores, labels, method='naive')
    assert indices.tolist() == [1, 3, 2]


def test_three_in_a_chain():
    """The middle box loses to the first, so that it is taken last and the third stays whole."""
    boxes = torch.tensor([[0.0, 0, 3, 1], [1, 0, 4, 1], [3, 0, 6, 1]])  # IoUs 1/2, 1/5, 0
    indices, lowered = batched_soft_nms(
        boxes,
        torch.tensor([0.9, 0.8, 0.6]),
        torch.zeros(3).long(),
        method='linear',
        iou_threshold=0.1,
    )
    assert indices.tolist() == [0, 2, 1]
    assert lowered.tolist() == pytest.approx([0.9, 0.6, 0.8 * 1 / 2 * 4 / 5])


def test_of_equal_scores_the_first_is_taken():
    boxes = torch.tensor([[0.0, 0, 10, 10], [50, 0, 60, 10], [0, 0, 10, 10], [90, 0, 99, 10]])
    labels = torch.tensor([3, 1, 3, 3])
    indices, lowered = batched_soft_nms(boxes, torch.full((4,), 0.5), labels)
    assert indices.tolist() == [0, 1, 3, 2]
    assert lowered.tolist() == pytest.approx([0.5, 0.5, 0.5, 0.5 * math.exp(-1 / 0.5)])
    # Two lowered to one score, e⁻² of one half each.
    indices, lowered = batched_soft_nms(
        boxes[[0, 0, 2]], torch.tensor([0.5, 0.5, 0.9]), torch.zeros(3).long()
    )
    assert indices.tolist() == [2, 0, 1]
    assert lowered.tolist() == pytest.approx([0.9, 0.5 * math.exp(-2), 0.5 * math.exp(-4)])


def test_none_and_one():
    indices, lowered = batched_soft_nms(
        torch.zeros(0, 4), torch.zeros(0), torch.zeros(0).long(), max_num=3
    )
    assert (indices.shape, indices.dtype) == ((0,), torch.long)
    assert (lowered.shape, lowered.dtype) == ((0,), torch.float32)
    indices, lowered = batched_soft_nms(
        torch.tensor([[1.0, 1, 2, 2]]), torch.tensor([0.3]), torch.tensor([79])
    )
    assert indices.tolist() == [0]
    assert lowered.tolist() == pytest.approx([0.3])


def test_min_score_must_be_exceeded_but_by_the_first():
    boxes = torch.tensor([[0.0, 0, 1, 1], [5, 5, 6, 6], [8, 8, 9, 9]])
    labels = torch.tensor([0, 1, 0])
    scores = torch.tensor([0.25, 0.125, 0.5])
    assert batched_soft_nms(boxes, scores, labels, min_score=0.125)[0].tolist() == [2, 0]
    assert batched_soft_nms(boxes, scores, labels, min_score=0.124)[0].tolist() == [2, 0, 1]
    assert batched_soft_nms(boxes, scores, labels, min_score=0.5)[0].tolist() == [2]
    assert batched_soft_nms(boxes, scores, labels, min_score=0.9)[0].tolist() == [2]


def test_equal_to_a_limit():
    """An IoU equal to the threshold lowers, a score lowered to the minimum drops."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5]])  # IoU 1/2
    scores, labels = torch.tensor([0.75, 0.5]), torch.zeros(2).long()
    options = dict(method='linear', iou_threshold=0.5)
    _, lowered = batched_soft_nms(boxes, scores, labels, min_score=0.2, **options)
    assert lowered.tolist() == [0.75, 0.25]
    _, lowered = batched_soft_nms(boxes, scores, labels, min_score=0.25, **options)
    assert lowered.tolist() == [0.75]


@pytest.mark.parametrize('method', METHODS)
def test_boxes_without_area_or_end_touch_no_other(method):
    inf = math.inf
    boxes = [[3.0, 1, 3, 1]] * 3 + [[0, 0, 9, 9], [4, 4, 4, 6], [6, 6, 2, 2]]
    boxes = torch.tensor([*boxes, *[[-inf, -inf, inf, inf]] * 2])
    scores = torch.tensor([0.9, 0.5, 0.4, 0.95, 0.3, 0.2, 0.1, 0.05])
    indices, lowered = batched_soft_nms(boxes, scores, torch.zeros(8).long(), method=method)
    assert indices.tolist() == [3, 0, 1, 2, 4, 5, 6, 7]
    assert torch.equal(lowered, scores[indices])


def test_scores_that_are_no_number_are_left_out():
    boxes, scores, labels = crowd(50, 3)
    expected = batched_soft_nms(boxes[1:], scores[1:], labels[1:])
    scores[0] = math.nan
    indices, lowered = batched_soft_nms(boxes, scores, labels)
    assert torch.equal(indices, expected[0] + 1)
    assert torch.equal(lowered, expected[1])


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('classes', [1, 12])
def test_max_num_is_the_beginning_of_all(classes, method):
    boxes, scores, labels = crowd(300, classes, seed=2)
    scores = (scores * 16).ceil() / 16  # ties
    indices, lowered = batched_soft_nms(boxes, scores, labels, method=method)
    for count in (1, 2, 15, 60, 1000):
        first, first_scores = batched_soft_nms(boxes, scores, labels, method=method, max_num=count)
        assert torch.equal(first, indices[:count])
        assert torch.equal(first_scores, lowered[:count])


def test_classes_are_kept_apart_without_shifting_them():
    """A class far down the list is lowered by the same bits as one alone."""
    boxes, scores, labels = crowd(300, 5, seed=3, dtype=torch.float32)
    labels = labels * 100_000 - 200_000
    indices, lowered = batched_soft_nms(boxes, scores, labels)
    for label in labels.unique():
        members = (labels == label).nonzero()[:, 0]
        alone, alone_scores = batched_soft_nms(
            boxes[members], scores[members], torch.zeros_like(members)
        )
        of_label = labels[indices] == label
        assert torch.equal(indices[of_label], members[alone])
        assert torch.equal(lowered[of_label], alone_scores)
    assert lowered.tolist() == sorted(lowered.tolist(), reverse=True)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    boxes, scores, labels = crowd(100, 3, dtype=dtype)
    result = batched_soft_nms(boxes, scores, labels)
    expected = batched_soft_nms(boxes.float(), scores.float(), labels)
    assert result[1].dtype == torch.float32
    assert all(map(torch.equal, result, expected))


def test_inputs_with_gradients_are_left_as_they_are():
    boxes, scores, labels = crowd(60, 3)
    before = boxes.clone(), scores.clone()
    _, lowered = batched_soft_nms(boxes.requires_grad_(), scores.requires_grad_(), labels)
    assert torch.equal(boxes, before[0])
    assert torch.equal(scores, before[1])
    assert not lowered.requires_grad
    dets, taken = soft_nms(boxes, scores)
    assert len(dets) == len(taken) > 0


@pytest.mark.parametrize('method', METHODS)
def test_mmcvs_operator_gives_the_same(method):
    boxes, scores, _ = crowd(200, 1, dtype=torch.float32)
    dets, taken = soft_nms(boxes, scores, 0.3, 0.5, 1e-3, method)
    indices, lowered = batched_soft_nms(boxes, scores, torch.zeros(200).long(), method=method)
    assert torch.equal(taken, indices)
    assert torch.equal(dets, torch.cat((boxes[indices], lowered[:, None]), 1))


def test_mmcvs_operator_keeps_what_equals_the_minimum():
    boxes = torch.tensor([[0.0, 0, 1, 1], [5, 5, 6, 6], [8, 8, 9, 9]])
    _, taken = soft_nms(boxes, torch.tensor([0.5, 0.25, 0.125]), min_score=0.25)
    assert taken.tolist() == [0, 1]


def test_errors():
    boxes, scores, labels = crowd(3, 1)
    with pytest.raises(ValueError, match="'naive', 'linear' or 'gaussian', got 'hard'"):
        batched_soft_nms(boxes, scores, labels, method='hard')
    with pytest.raises(ValueError, match='max_num must be at least 1, or None for all, got -1'):
        batched_soft_nms(boxes, scores, labels, max_num=-1)


@pytest.mark.parametrize('max_num', [None, 20])
def test_pretended_gpu_equals_the_cpu(max_num):
    inputs = crowd(300, 5, dtype=torch.float32)
    expected = batched_soft_nms(*inputs, max_num=max_num)
    with pretended_gpu(lambda *_: None):
        result = batched_soft_nms(*(tensor.cuda() for tensor in inputs), max_num=max_num)
        check_on_gpu(result, expected)


@pytest.mark.gpu
@pytest.mark.parametrize('max_num', [None, 20])
def test_cuda_equals_the_cpu(max_num):
    """On the CPU: test_pretended_gpu_equals_the_cpu."""
    inputs = crowd(300, 5, dtype=torch.float32)
    expected = batched_soft_nms(*inputs, max_num=max_num)
    check_on_gpu(batched_soft_nms(*(tensor.cuda() for tensor in inputs), max_num=max_num), expected)


def check_on_gpu(result, expected):
    for on_gpu, on_cpu in zip(result, expected, strict=True):
        assert on_gpu.is_cuda
        assert torch.equal(on_gpu.cpu(), on_cpu)
