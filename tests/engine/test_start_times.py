"""Names of runs by their start."""

from __future__ import annotations

from effnet_dense.engine.start_times import unique_start


def test_runs_of_one_second_have_different_names() -> None:
    names = [unique_start('19700101_000000') for _ in range(11)]
    assert names[:2] == ['19700101_000000', '19700101_000000_002']
    assert len(set(names)) == 11 and names == sorted(names)
    assert unique_start('19700101_000001') == '19700101_000001'
