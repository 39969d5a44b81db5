"""Records and their page, by hand."""

from __future__ import annotations

from pathlib import Path

from benchmarks.gpu.page import cell, write_page
from benchmarks.gpu.record import RUNNING, Record

PAGE = """# Results on a GPU

## fast

finished, 2 s.

One sentence.

### times

| network | ms | error |
| --- | ---: | ---: |
| a | – | too large |
| b | 1.25 | – |

## slow

running, 0 s.
"""


def test_page(tmp_path: Path) -> None:
    record = Record(tmp_path / 'fast.json', 'fast')
    record.note('One\nsentence.')
    record.add('times', network='a', error='too large')
    record.add('times', network='b', ms=1.2497)
    record.end('finished', 2.04)
    Record(tmp_path / 'slow.json', 'slow').write()
    path = write_page(tmp_path, ['fast', 'absent', 'slow'])
    assert path.read_text(encoding='utf-8') == PAGE


def test_what_was_found_before_a_part_was_killed_stays(tmp_path: Path) -> None:
    Record(tmp_path / 'part.json', 'part').add('t', x=1)
    record = Record.read(tmp_path / 'part.json')
    assert (record.state, record.tables) == (RUNNING, {'t': [{'x': 1}]})


def test_cells() -> None:
    assert [cell(value) for value in (None, 3, 0.01234, 1234.5, 'x')] == [
        '–',
        '3',
        '0.0123',
        '1234',
        'x',
    ]
