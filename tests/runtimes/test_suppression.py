"""Suppression in NumPy is what PyTorch's is, and what the ONNX graphs'."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from effnet_dense.runtimes.suppression import suppress
from tests.helpers.nms_cases import IMAGES, MOST, NMS, candidates, expected, run_graph


@pytest.mark.parametrize('nms', NMS, ids=str)
def test_equals_pytorch_and_onnx(nms: dict[str, Any]) -> None:
    given = candidates()
    graph = run_graph(nms, *given)
    for image in range(IMAGES):
        one = tuple(value[image] for value in given)
        found = suppress(*(value.numpy() for value in one), nms, MOST)
        assert [value.dtype for value in found] == [np.float32, np.float32, np.int64]
        for value, reference in zip(found, graph, strict=True):
            np.testing.assert_allclose(value, reference[image], rtol=1e-6)
        wanted = expected(nms, *one)
        count = len(wanted[1])
        assert 10 < count <= MOST
        for value, part in zip(found, wanted, strict=True):
            np.testing.assert_allclose(value[:count], part, rtol=1e-6)


def test_no_candidates() -> None:
    boxes, scores, labels = (value[0].numpy() for value in candidates())
    for nms in (NMS[0], NMS[2]):
        for found in (
            suppress(boxes[:0], scores[:0], labels[:0], nms, 5),
            suppress(boxes, np.zeros_like(scores), labels, nms, 5),
        ):
            assert found[2].tolist() == [-1] * 5
            assert not found[0].any() and not found[1].any()


@pytest.mark.parametrize(
    ('nms', 'message'),
    [
        (dict(type='nms_match'), "expected nms.type to be 'nms' or 'soft_nms', got 'nms_match'"),
        (dict(type='soft_nms', method='cubic'), "got 'cubic'"),
    ],
)
def test_errors(nms: dict[str, Any], message: str) -> None:
    one = (value[0].numpy() for value in candidates())
    with pytest.raises(ValueError, match=message):
        suppress(*one, nms, MOST)


def test_ties_are_kept_in_order() -> None:
    boxes = torch.tensor([[0, 0, 4, 4], [10, 0, 14, 4], [0, 0, 4, 4]]).float().numpy()
    scores, labels = np.full(3, 0.5, np.float32), np.array([0, 1, 0])
    found = suppress(boxes, scores, labels, NMS[0], 3)
    np.testing.assert_array_equal(found[0], [boxes[0], boxes[1], [0, 0, 0, 0]])
    assert found[2].tolist() == [0, 1, -1]
