"""Tables on the console."""

from __future__ import annotations

import pytest

from effnet_dense.utils.console import print_table


def test_table_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table('Title', ['net', 'ms'], [['B0 [lite]', '1.5'], ['B1', '20']], align='lr')
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == 'Title'
    assert '│ B0 [lite] │ 1.5 │' in lines
    assert '│ B1        │  20 │' in lines
