"""Fields of many records at once are judged as each by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effnet_dense.data.coco.fields import all_valid, annotation_fields
from effnet_dense.data.columns import as_boxes, as_numbers, polygon_extents, stack_boxes
from effnet_dense.data.masks import are_plain, mask_fault, mask_faults

VALUES = st.one_of(
    st.integers(-3, 3),
    st.floats(),
    st.sampled_from([True, None, '1', 10**400, 1e9, [0, 0, 1, 1], [0, 0, 1], [0, 0, 1, '1'], {}]),
    st.lists(st.integers(0, 9) | st.floats(0, 9), min_size=4, max_size=4),
)
POINTS = st.lists(st.integers(-9, 20) | st.floats(-30, 30), min_size=6, max_size=8)
MASKS = st.one_of(
    st.lists(POINTS, max_size=3),
    st.sampled_from(
        [
            *([[0, 0, 5, 0, 5, 5]], [0, 0, 5, 0, 5, 5], [[0, 0, 5, 0, 5, '5']], [], None, {}),
            *([[0, 0, 10**400, 0, 5, 5]], [[0, 0, float('nan'), 0, 5, 5]], [[0, 0, 1, 1]]),
            *([[0, 0, True, 0, 5, 5]], {'size': [7, 9], 'counts': [63]}, [[0, 0, 1e308, 0, 5, 5]]),
        ]
    ),
)
SIZES = st.sampled_from([(9, 7), (9.0, 7), (0, 7), (True, 7), ('9', 7), (2**20, 2**20)])


@pytest.mark.parametrize('field', annotation_fields(masks=True, evaluated=True))
@settings(max_examples=30, deadline=None)
@given(st.lists(VALUES, max_size=4))
def test_a_column_is_valid_if_each_value_is(field: str, values: list[Any]) -> None:
    is_valid, _ = annotation_fields(masks=True, evaluated=True)[field]
    assert all_valid(is_valid, values) == all(map(is_valid, values))


def test_numbers_and_boxes() -> None:
    assert as_numbers([1, 2.5]).tolist() == [1, 2.5]  # type: ignore[union-attr]
    assert as_numbers([]).shape == (0,)  # type: ignore[union-attr]
    assert as_boxes([[1, 2, 3, 4]]).tolist() == [[1, 2, 3, 4]]  # type: ignore[union-attr]
    assert as_numbers([1, True]) is None and as_boxes([[1, 2, 3]]) is None
    assert stack_boxes([]).shape == (0, 4)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(MASKS, SIZES), max_size=5))
def test_masks_have_the_faults_of_each(cases: list[Any]) -> None:
    masks, sizes = [mask for mask, _ in cases], [size for _, size in cases]
    assert mask_faults(masks, sizes) == [mask_fault(mask, *size) for mask, size in cases]


def test_extents_of_polygons() -> None:
    masks = [[[1, 2, 5, 2, 5, 8]], {'counts': ''}, [[0, 0, 3, 0, 3, 3], [7, 7, 9, 7, 9, 9, 7, 9.5]]]
    extents, counts = polygon_extents(masks)
    assert extents[[0, 2]].tolist() == [[1, 2, 5, 8], [0, 0, 9, 9.5]]
    assert np.isnan(extents[1]).all() and counts.tolist() == [6, 0, 14]
    assert are_plain(masks, [(9, 9)] * 3) == [True, False, True]
