"""Tables, JSON, Markdown and charts hold the comparison's numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.chart import panels
from benchmarks.files import write_comparison
from benchmarks.tables import cells, columns, comparison_section
from tests.helpers import fake_implementation as fake

# Half as long in the median of the pairs, though not in the quotient of the bests.
TIMES = dict(theirs=[40.0, 10.0, 20.0], ours=[20.0, 9.0, 10.0])


def test_cells() -> None:
    comparison = fake.comparison(**TIMES)
    assert columns(comparison) == [
        *('network', 'format', 'parameters', 'GFLOPs', 'saved MiB/img', 'step ms/img', 'ratio')
    ]
    assert cells(comparison, comparison.row('ours')) == [
        *('ours', 'NCHW', '1,000', '0.50', '10.0', '9.0', '0.50')
    ]
    with pytest.raises(KeyError, match='no row'):
        comparison.row('missing')


def test_floors() -> None:
    comparison = fake.comparison(**TIMES)
    # 0.5 · 10⁹ multiply-adds are 10⁹ operations, three times in a step, at 10¹¹ a second.
    assert comparison.floor('step') == pytest.approx(30)
    assert comparison.copy_ms(comparison.rows[0]) == pytest.approx(2 * 10 * 2**20 / 1e10 * 1000)


def test_files(tmp_path: Path) -> None:
    comparison = fake.comparison(**TIMES)
    found = write_comparison(comparison, tmp_path / 'new')
    assert [path.name for path in found] == ['train_x.json', 'train_x.md', 'train_x.png']
    data = json.loads(found[0].read_text(encoding='utf-8'))
    assert set(data) == {
        *('title', 'settings', 'machine', 'ceilings', 'reference', 'rows', 'absent')
    }
    assert data['reference'] == 'theirs'
    assert data['absent'] == [{'ecosystem': 'lost', 'reason': 'gone'}]
    assert data['settings']['size'] == 32
    row = data['rows'][1]
    assert (row['saved_hooks'], row['saved_alive'], row['saved']) == (8, 10, 10)
    assert row['timings'] == {'step': {'best_ms': 9.0, 'ratio': 0.5, 'floor_ms': 30.0}}
    text = found[1].read_text(encoding='utf-8')
    assert text == comparison_section(comparison)
    assert '| ours | NCHW | 1,000 | 0.50 | 10.0 | 9.0 | 0.50 |' in text
    assert 'Not available: lost (gone).' in text
    with Image.open(found[2]) as chart:
        assert chart.width > 500


def test_panels() -> None:
    assert panels(fake.comparison(**TIMES)) == [
        ('saved for backward, MiB/img', {'theirs': 10, 'ours': 10}, None),
        ('training step, ms/img', {'theirs': 10, 'ours': 9}, 30),
    ]
