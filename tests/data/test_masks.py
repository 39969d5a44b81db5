"""Whatever stands in a mask, it is refused or decodes, and never crashes."""

from __future__ import annotations

import cProfile
import json
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from effnet_dense.data.masks import _decoded, is_long, mask_fault

HEIGHT, WIDTH = 7, 9
FULL = HEIGHT * WIDTH
NUMBERS = st.one_of(
    st.integers(-20, 20),
    st.floats(-15, 15),
    st.sampled_from([None, True, '3', 2e8, -1e30, 10**400, float('nan'), float('inf'), [], {}]),
)
COORDINATES = st.lists(st.integers(-9, 16) | st.floats(-9, 16), min_size=4, max_size=14)
POLYGONS = st.lists(COORDINATES | st.lists(NUMBERS, max_size=8) | NUMBERS, max_size=4)
SIZES = st.sampled_from(
    [
        *([HEIGHT, WIDTH], [WIDTH, HEIGHT], [str(HEIGHT), str(WIDTH)], [7.0, 9.0], [-7, -9]),
        *([2**40, 2**40], [HEIGHT], [True, WIDTH], 63, None),
    ]
)
COUNTS = st.one_of(
    st.lists(st.integers(0, FULL), max_size=6),
    st.lists(st.integers(-5, 2**33) | NUMBERS, max_size=4),
    st.integers(0, FULL).map(lambda first: [first, FULL - first]),
    st.binary(min_size=FULL, max_size=FULL).map(lambda bits: encoded(bits)),
    st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=12),
    NUMBERS,
)
RUNS = st.fixed_dictionaries({}, optional={'size': SIZES, 'counts': COUNTS})


def encoded(bits: bytes) -> str:
    """Compress a mask."""
    mask = (np.frombuffer(bits, np.uint8).reshape(HEIGHT, WIDTH) > 127).astype(np.uint8)
    return coco_mask.encode(np.asfortranarray(mask))['counts'].decode()


def decode(mask: Any) -> np.ndarray:
    """Decode as pycocotools' `COCO.annToMask` and mmdet's `BitmapMasks` do."""
    if isinstance(mask, list):
        return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(mask, HEIGHT, WIDTH)))
    if isinstance(mask['counts'], list):
        return coco_mask.decode(coco_mask.frPyObjects(mask, HEIGHT, WIDTH))
    return coco_mask.decode(mask)


@settings(max_examples=50, deadline=None)
@given(POLYGONS | RUNS | NUMBERS)
@example([[1, 1, 5, 5]])
@example([1, 1, 5, 1, 5, 5])
@example([[0, 0, 2e8, 0, 2e8, 5]])
@example({'size': [HEIGHT, WIDTH], 'counts': [FULL - 1]})
@example({'size': [HEIGHT, WIDTH], 'counts': 'zzzzzzzzzzzz'})
@example({'size': [WIDTH, HEIGHT], 'counts': [FULL]})
@example([[0, 0, 5, 0, 5, 5], [1, 1, 2]])
def test_what_passes_decodes(mask: Any) -> None:
    why = mask_fault(mask, WIDTH, HEIGHT)
    if why is None:
        assert decode(json.loads(json.dumps(mask))).shape == (HEIGHT, WIDTH)
    else:
        assert why and len(why) < 200


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=FULL, max_size=FULL), st.booleans())
def test_good_run_lengths_pass(bits: bytes, compressed: bool) -> None:
    counts = encoded(bits)
    runs = _decoded(counts)
    mask = np.repeat(np.arange(len(runs)) % 2, runs).reshape(WIDTH, HEIGHT).T
    assert (mask == (np.frombuffer(bits, np.uint8).reshape(HEIGHT, WIDTH) > 127)).all()
    given_counts = counts if compressed else runs.tolist()
    assert mask_fault({'size': [HEIGHT, WIDTH], 'counts': given_counts}, WIDTH, HEIGHT) is None


@settings(max_examples=50, deadline=None)
@given(st.lists(COORDINATES.filter(lambda points: len(points) >= 6), min_size=1, max_size=3))
def test_good_polygons_pass(polygons: list[list[float]]) -> None:
    polygons = [polygon[: len(polygon) // 2 * 2] for polygon in polygons]
    assert mask_fault(polygons, WIDTH, HEIGHT) is None


@pytest.mark.parametrize(
    ('mask', 'why'),
    [
        (None, 'expected polygons or run lengths, got None'),
        ([1, 1, 5, 1, 5, 5], 'got a flat list'),
        ([[1, 1, 5, 5]], 'a polygon of 4 numbers'),
        ([[1, 1, 5, 1, 5, None]], 'coordinate None'),
        ([[1, 1, 5, 1, 5, '5']], "coordinate '5'"),
        ([[1, 1, 5, 1, 5, 2e8]], 'coordinate 200000000.0'),
        ([[1, 1, 5, 1, 5, float('nan')]], 'coordinate nan'),
        ([[1, 1, 5, 1, 5, float('-inf')]], 'coordinate -inf'),
        ([[1, 1, 5, 1, 5, 10**400]], 'more than 300 digits'),
        ({'size': [WIDTH, HEIGHT], 'counts': [FULL]}, 'swapped'),
        ({'size': ['7', '9'], 'counts': [FULL]}, "expected 'size' as"),
        ({'size': [HEIGHT, WIDTH], 'counts': [FULL - 1]}, 'runs of 62 pixels in all'),
        ({'size': [HEIGHT, WIDTH], 'counts': [FULL, 1]}, 'runs of 64 pixels in all'),
        ({'size': [HEIGHT, WIDTH], 'counts': [2**32 + FULL]}, 'a run of 4294967359 pixels'),
        ({'size': [HEIGHT, WIDTH], 'counts': [0.5, 62.5]}, 'a run length 0.5'),
        ({'size': [HEIGHT, WIDTH], 'counts': 'a garbage'}, 'not compressed'),
        ({'size': [HEIGHT, WIDTH], 'counts': 'oooo'}, 'end early'),
        ({'size': [HEIGHT, WIDTH], 'counts': 'o' * 99 + '0'}, 'of 100 characters'),
        ({'size': [HEIGHT, WIDTH]}, "expected 'counts'"),
        ({'counts': [FULL]}, "expected 'size'"),
    ],
)
def test_the_reason(mask: Any, why: str) -> None:
    assert why in str(mask_fault(mask, WIDTH, HEIGHT))


def test_sizes_of_images() -> None:
    polygon = [[0, 0, 5, 0, 5, 5]]
    assert 'no two integers' in str(mask_fault(polygon, 9.0, 7))
    assert 'are more than' in str(mask_fault(polygon, 10**5, 10**5))


def test_long_outlines_are_refused_at_once() -> None:
    start = time.perf_counter()
    zigzag = [[0, 0, 4000, 3000] * 50000]
    assert 'outlines of' in str(mask_fault(zigzag, 4000, 3000))
    assert 'outlines of' in str(mask_fault([[0, 0, 4000, 0, 0, 3000]] * 9000, 4000, 3000))
    assert time.perf_counter() - start < 5


@given(st.integers(1, 4), st.integers(3, 6), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_the_length_of_outlines(polygons: int, points: int, seed: int) -> None:
    """Each polygon is closed on its own, as a loop over the edges says."""
    draw = np.random.default_rng(seed)
    found = [draw.integers(0, 100, (points + i, 2)) for i in range(polygons)]
    length = sum(
        max(abs(np.subtract(one, other)))
        for corners in found
        for one, other in zip(corners, [*corners[1:], corners[0]], strict=True)
    )
    mask = [corners.ravel().tolist() for corners in found]
    for limit in (length - 1, length):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr('effnet_dense.data.masks.LONG_OUTLINE', limit)
            patch.setattr('effnet_dense.data.masks.MAX_PERIMETER', limit)
            fault = mask_fault(mask, 100, 100)
            assert is_long(mask, 100, 100) == (length > limit) == (fault is not None)


def test_many_polygons_are_measured_together() -> None:
    """A thousand masks of 300 polygons took 18 s."""
    profile = cProfile.Profile()
    mask = [[0, 0, 9, 0, 9, 9]] * 300
    assert profile.runcall(mask_fault, mask, 1600, 1200) is None
    assert sum(entry.callcount for entry in profile.getstats()) < 20 * len(mask)
