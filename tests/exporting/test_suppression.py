"""Hard and soft NMS as ONNX graphs, beside mmcv's and this package's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from effnet_dense.exporting.suppression import check_nms, suppression
from tests.helpers.nms_cases import CANDIDATES, IMAGES, MOST, NMS, candidates, expected, run_graph


@pytest.mark.parametrize('nms', NMS, ids=str)
def test_equals_pytorch(nms: dict[str, Any]) -> None:
    given = candidates()
    boxes, scores, labels = run_graph(nms, *given)
    for image in range(IMAGES):
        wanted = expected(nms, *(value[image] for value in given))
        count = len(wanted[1])
        np.testing.assert_array_equal(boxes[image][:count], wanted[0])
        np.testing.assert_allclose(scores[image][:count], wanted[1], rtol=1e-6)
        np.testing.assert_array_equal(labels[image][:count], wanted[2])
        assert (labels[image][count:] == -1).all()
        assert not scores[image][count:].any() and not boxes[image][count:].any()


def test_an_image_without_a_candidate() -> None:
    boxes, scores, labels = candidates()
    scores[1] = 0
    for nms in (NMS[0], NMS[2]):
        found = run_graph(nms, boxes, scores, labels)
        assert (found[2][1] == -1).all() and (found[2][0] >= 0).any()


def test_no_more_results_than_candidates() -> None:
    boxes, scores, labels = (value[:, :7] for value in candidates())
    assert run_graph(NMS[0], boxes, scores, labels)[1].shape == (IMAGES, 7)


def test_arguments_that_change_nothing() -> None:
    check_nms(dict(type='nms', max_num=-1, score_threshold=0.0, offset=0, split_thr=100))


@pytest.mark.parametrize(
    ('nms', 'message'),
    [
        (dict(type='nms_match'), "expected nms.type to be 'nms' or 'soft_nms', got 'nms_match'"),
        (dict(type='soft_nms', method='cubic'), "got 'cubic'"),
        (dict(type='nms', max_num=5), r"without max_num, .*, got {'max_num': 5}: .*max_per_img"),
        (dict(type='nms', score_threshold=0.7, offset=1), 'without score_threshold, offset, which'),
    ],
)
def test_errors(nms: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        suppression(nms, CANDIDATES, MOST)
