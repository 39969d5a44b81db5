"""Names of runs by their start."""

from __future__ import annotations

from effnet_dense.engine.start_times import unique_start


def test_runs_of_one_second_have_different_names() -> None:
    names = [unique_start('19700101_000000') for _ in range(3)]
    assert names == ['19700101_000000', '19700101_000000_2', '19700101_000000_3']
    assert unique_start('19700101_000001') == '19700101_000001'
