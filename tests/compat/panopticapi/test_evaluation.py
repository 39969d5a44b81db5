"""Panoptic quality from counts, by hand."""

from __future__ import annotations

import pytest
from panopticapi.evaluation import OFFSET, VOID, PQStat, PQStatCat

CATEGORIES = {
    1: {'id': 1, 'isthing': 1},
    2: {'id': 2, 'isthing': 1},
    90: {'id': 90, 'isthing': 0},
    91: {'id': 91, 'isthing': 0},
}


def counts() -> PQStat:
    """Things 1 and 2, stuff 90; stuff 91 does not occur."""
    stat = PQStat()
    stat[1] += PQStatCat(iou=1.5, tp=2, fp=1, fn=3)
    stat[2] += PQStatCat(fn=1)
    stat[90] += PQStatCat(iou=0.75, tp=1)
    return stat


def test_constants() -> None:
    assert (VOID, OFFSET) == (0, 16_777_216)


def test_qualities_of_a_category() -> None:
    # 2 + 1/2 + 3/2 = 4 segments: PQ = 1.5 / 4, SQ = 1.5 / 2, RQ = 2 / 4.
    assert counts()[1].qualities() == {'pq': 0.375, 'sq': 0.75, 'rq': 0.5}
    assert counts()[2].qualities() == {'pq': 0.0, 'sq': 0.0, 'rq': 0.0}
    assert PQStatCat().qualities() == {'pq': 0.0, 'sq': 0.0, 'rq': 0.0}


@pytest.mark.parametrize(
    ('isthing', 'average'),
    [
        (True, {'pq': 0.375 / 2, 'sq': 0.75 / 2, 'rq': 0.25, 'n': 2}),
        (False, {'pq': 0.75, 'sq': 0.75, 'rq': 1.0, 'n': 1}),
        (None, {'pq': 1.125 / 3, 'sq': 0.5, 'rq': 0.5, 'n': 3}),
    ],
)
def test_averages_leave_out_what_does_not_occur(
    isthing: bool | None, average: dict[str, float]
) -> None:
    found, each = counts().pq_average(CATEGORIES, isthing=isthing)
    assert found == pytest.approx(average)
    assert list(each) == [c for c, i in CATEGORIES.items() if isthing in (None, i['isthing'] == 1)]
    if isthing is not True:
        assert each[91] == {'pq': 0.0, 'sq': 0.0, 'rq': 0.0}


def test_nothing_at_all() -> None:
    assert PQStat().pq_average(CATEGORIES, None)[0] == {'pq': 0, 'sq': 0, 'rq': 0, 'n': 0}


def test_parts_add_up() -> None:
    total, more = counts(), PQStat()
    more[1] += PQStatCat(iou=0.5, tp=1)
    more[91] += PQStatCat(fp=2)
    total += more
    assert total[1] == PQStatCat(iou=2.0, tp=3, fp=1, fn=3)
    assert total[91] == PQStatCat(fp=2)
    assert sorted(total) == [1, 2, 90, 91]
    assert more[1] == PQStatCat(iou=0.5, tp=1), 'the other part was changed'
