"""Figures over the score threshold, beside a count of each by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effnet_dense.report.confidence import THRESHOLDS, by_class, together
from effnet_dense.report.confidence_sections import threshold_table
from effnet_dense.report.detection import Detections, evaluate
from effnet_dense.report.sections import show
from tests.helpers.known_detections import CAT_IDS, CLASSES, results, truth


def detections(rows: list[tuple[int, float, int]], objects: list[tuple[int, bool]]) -> Detections:
    """Make results of detections (label, score, right) and objects (label, crowd)."""
    found = evaluate(results(''), truth(), CAT_IDS, score_thr=0.3)
    labels, scores, right = zip(*rows, strict=True) if rows else ((), (), ())
    found.found_label = np.array(labels, dtype=np.int64)
    found.found_score = np.array(scores, dtype=np.float64)
    found.found_right = np.array(right, dtype=np.int64)
    found.truth_label = np.array([label for label, _ in objects], dtype=np.int64)
    found.truth_crowd = np.array([crowd for _, crowd in objects], dtype=bool)
    return found


def by_hand(found: Detections, label: int, threshold: float) -> tuple[float, float, float]:
    kept = [
        right
        for each, score, right in zip(
            found.found_label, found.found_score, found.found_right, strict=True
        )
        if each == label and score >= threshold and right >= 0
    ]
    objects = sum(
        each == label and not crowd
        for each, crowd in zip(found.truth_label, found.truth_crowd, strict=True)
    )
    hits, nan = sum(kept), float('nan')
    precision = hits / len(kept) if kept else nan
    recall = hits / objects if objects else nan
    f1 = 2 * hits / (len(kept) + objects) if objects else nan
    return precision, recall, f1


ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.floats(0, 1, width=32), st.integers(-1, 1)), max_size=12
)
OBJECTS = st.lists(st.tuples(st.integers(0, 1), st.booleans()), max_size=6)


@settings(max_examples=30, deadline=None)
@given(ROWS, OBJECTS, st.integers(0, 100))
def test_counts_by_hand(
    rows: list[tuple[int, float, int]], objects: list[tuple[int, bool]], at: int
) -> None:
    found = detections(rows, objects)
    figures = by_class(found, 2)
    for label in (0, 1):
        expected = by_hand(found, label, float(THRESHOLDS[at]))
        actual = [getattr(figures, name)[at, label] for name in ('precision', 'recall', 'f1')]
        np.testing.assert_allclose(actual, expected)
        best = figures.best(label)
        if best is not None:
            assert figures.f1[best, label] == np.nanmax(figures.f1[:, label])


def test_the_best_threshold_is_in_the_middle_of_the_gap() -> None:
    rows = [(0, 0.9, 1), (0, 0.8, 1), (0, 0.4, 0), (0, 0.2, 0)]
    found = detections(rows, [(0, False), (0, False)])
    best = by_class(found, 1).best(0)
    assert best is not None and THRESHOLDS[best] == pytest.approx(0.6, abs=0.011)
    assert together(found).best(0) == best
    assert by_class(detections([(0, 0.9, 0)], [(0, False)]), 1).best(0) is None


def test_the_table_has_scores_of_two_decimals() -> None:
    found = evaluate(results(''), truth(), CAT_IDS, score_thr=0.3)
    table = threshold_table(by_class(found, 2), together(found), CLASSES)
    assert [row[0] for row in table.rows] == ['all classes', *CLASSES]
    shown = [show(row[1]) for row in table.rows]
    assert all(len(text) == 4 for text in shown), shown
