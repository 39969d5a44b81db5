"""Objects of a map of instances: run lengths and boxes as pycocotools makes them of masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from effnet_dense.data.formats.map_objects import MANY, map_objects


@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(1, 6),
    st.integers(0, 99),
    st.sampled_from([np.uint8, np.uint16, np.uint32]),
)
@settings(max_examples=50, deadline=None)
def test_objects_equal_pycocotools_masks(
    height: int, width: int, count: int, seed: int, kind: Any
) -> None:
    values = np.random.default_rng(seed).integers(0, count, (height, width)).astype(kind) * 50
    wanted = {50, 100, 150}
    found = list(map_objects(values, wanted))
    assert [entry.value for entry in found] == sorted(wanted & set(values.ravel().tolist()))
    for entry in found:
        expected = coco_mask.encode(np.asfortranarray(values == entry.value, dtype=np.uint8))
        assert entry.segmentation['counts'] == expected['counts'].decode('ascii')
        assert entry.segmentation['size'] == [height, width]
        assert entry.box == coco_mask.toBbox(expected).tolist()


def test_noise_is_refused_before_it_is_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('pycocotools.mask.frPyObjects', None)
    values = np.arange(48 * 48, dtype=np.uint16).reshape(48, 48)
    with pytest.raises(ValueError, match=r'2304 objects in 2304 pixels: .*a photo'):
        list(map_objects(values, set(range(48 * 48))))


def test_many_objects_of_some_size(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = np.arange(1, 40 * 40 + 1, dtype=np.uint16).reshape(40, 40)
    values = np.kron(numbers, np.ones((2, 2), dtype=np.uint16))
    found = list(map_objects(values, set(range(1, 1601))))
    assert len(found) == 1600 > MANY
    assert found[41].box == [2, 2, 2, 2]
