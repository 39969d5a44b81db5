"""Confusions and scores of images by hand."""

from __future__ import annotations

import numpy as np
import pytest

from effnet_dense.report.matching import Matches, by_image, confusion, image_scores


def test_image_scores_average_f1_over_thresholds() -> None:
    # Two thresholds; the first image's only detection is right only at the first one. The second
    # image's is in a crowd, the third one's below the score threshold.
    right = np.array([[True, False, False], [False, False, False]])
    ignored = np.array([[False, True, False]] * 2)
    hits = Matches(right, ignored, kept=np.array([True, True, False]), truth_found=np.zeros(0))
    scores, counts = image_scores(hits, np.array([0, 1, 2]), np.array([0, 2, 2]), images=4)
    assert counts.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 2], [0, 0, 0]]
    # F1 is 2 / 2, then 0 / (1 wrong + 1 missed).
    assert scores[[0, 2]].tolist() == pytest.approx([0.5, 0])
    assert np.isnan(scores[[1, 3]]).all()


def test_rows_are_grouped_by_image_in_their_order() -> None:
    groups = by_image(np.array([3, 1, 3, 1, 0]), np.array([2, 3, 0]))
    assert {image: rows.tolist() for image, rows in groups.items()} == {1: [3], 3: [2, 0]}
    assert by_image(np.array([3, 1]), np.zeros(0, np.int64)) == {}


def test_the_surer_detection_takes_the_object() -> None:
    box = np.array([[0.0, 0, 40, 40]])
    objects = dict(truth_image=[0], truth_label=[1], truth_crowd=[False])
    seen = dict(found_image=[0, 0], found_label=[0, 1], found_score=[0.4, 0.9])
    matrix = confusion(
        dict(truth_box=box, **{key: np.array(value) for key, value in objects.items()}),
        dict(
            # The less sure one of the wrong class overlaps more.
            found_box=np.array([[0.0, 0, 40, 40], [0, 0, 40, 30]]),
            **{key: np.array(value) for key, value in seen.items()},
        ),
        classes=2,
        score_thr=0.3,
    )
    assert matrix.tolist() == [[0, 0, 0], [0, 1, 0], [1, 0, 0]]
