"""The notebook's cells run, one after the other, at tiny sizes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib
import pytest

from tests.helpers.documents import ROOT
from tests.helpers.tiny import narrow_retinanet, options, write_data

NOTEBOOK = ROOT / 'docs' / 'notebook.ipynb'


def cells() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding='utf-8'))['cells']
    return found


def code() -> list[tuple[str, bool]]:
    """Source of each code cell, and whether it holds the parameters."""
    return [
        (''.join(cell['source']), 'parameters' in cell['metadata'].get('tags', ()))
        for cell in cells()
        if cell['cell_type'] == 'code'
    ]


def test_the_notebook_is_short_and_has_no_outputs() -> None:
    assert len(cells()) <= 15 and NOTEBOOK.stat().st_size < 10_000
    assert not any(cell.get('outputs') for cell in cells())
    assert [parameters for _, parameters in code()].count(True) == 1
    for source, _ in code():
        compile(source, 'cell', 'exec')


def test_pages_link_to_it() -> None:
    for name in ('README.md', 'docs/index.md'):
        assert 'notebook.ipynb' in (ROOT / name).read_text(encoding='utf-8')


@pytest.mark.slow
def test_its_cells_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    matplotlib.use('agg')
    small = {**options(), **narrow_retinanet()}
    small = {key: value for key, value in small.items() if not key.startswith('train_cfg.')}
    names: dict[str, Any] = {}
    for source, parameters in code():
        exec(compile(source, 'cell', 'exec'), names)
        if parameters:
            data = write_data(tmp_path / 'data')
            names.update(DATA=str(data), EPOCHS=1, IMAGE_SIZE=64, OPTIONS=small)
    assert names['run'].best.is_file() and names['metrics']['coco/bbox_mAP'] >= 0
    assert len(names['rows']) >= 2 and len(names['images']) == 2
    assert (tmp_path / 'work_dirs/notebook/report/index.html').is_file()
    assert 'coco/bbox_mAP' in capsys.readouterr().out
