"""Tables in Markdown."""

from __future__ import annotations

import pytest

from effnet_dense.utils.markdown import markdown_table


def test_alignment_repeats_the_last_letter() -> None:
    assert markdown_table(['net', 'a', 'b'], [['B0', '1', '2']], align='lr') == (
        '| net | a | b |\n| --- | ---: | ---: |\n| B0 | 1 | 2 |'
    )
    assert markdown_table(['a', 'b', 'c'], [], align='cr').splitlines()[1] == (
        '| :---: | ---: | ---: |'
    )


def test_left_by_default_and_bars_escaped() -> None:
    assert markdown_table(['a', 'b'], [['x|y', '']]).splitlines() == [
        '| a | b |',
        '| --- | --- |',
        r'| x\|y |  |',
    ]


def test_a_row_of_another_length() -> None:
    with pytest.raises(ValueError, match=r"expected 2 cells in a row, got 1: \['x'\]"):
        markdown_table(['a', 'b'], [['x']])
