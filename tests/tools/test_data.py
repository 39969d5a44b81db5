"""`tools/data.py`: what is shown, and the export."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from effnet_dense.data import find_coco
from tests.helpers.coco_folder import tiny_coco, write_folder
from tests.helpers.exports import EXPORTS, sample
from tests.helpers.label_folder import write_folder as write_label_maps
from tests.helpers.tool import call


def test_shows_and_exports_what_data_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parts = sample(tmp_path / 'source')
    root = EXPORTS['Roboflow COCO'].write(tmp_path / 'set', parts, True)
    assert call('data', root, '--masks', '--export', 'clean') == 0
    shown = capsys.readouterr().out
    assert "found Roboflow's COCO export in" in shown
    assert 'repaired: 1 × annotation with id 0' in shown
    assert 'left out' in shown and 'exported: clean/annotations/train.json' in shown
    clean = find_coco('clean', masks=('train', 'val'))
    assert clean.repairs == {} and clean.format == 'COCO JSON'
    assert clean.classes == ('cat', 'ant', 'big bee')
    image = next(Path('clean/images/val').iterdir())
    assert image.samefile(root / 'valid' / image.name)
    assert call('data', root, '--export', 'clean', '--copy') == 0
    assert call('data', 'clean') == 0


def test_foreign_files_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = write_folder(tmp_path / 'set')
    foreign = tmp_path / 'clean/images/train/a.png'
    foreign.parent.mkdir(parents=True)
    foreign.write_text('mine', encoding='utf-8')
    assert call('data', root, '--export', 'clean') == 2
    assert foreign.read_text(encoding='utf-8') == 'mine'
    assert call('data', root, '--export', root / 'images/train') == 2


def test_one_sentence_for_faults(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = tiny_coco()
    data['annotations'][0]['category_id'] = 4
    assert call('data', write_folder(tmp_path / 'set', data)) == 2
    assert '1 × annotation of an unknown category: id 1 (image 12)' in capsys.readouterr().err
    assert call('data', tmp_path / 'nothing') == 2
    assert call('data', tmp_path / 'set', '--val-share', '7') == 2


def test_label_maps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = write_label_maps(tmp_path / 'maps')
    assert call('data', root) == 0
    assert 'label' in capsys.readouterr().out
    assert call('data', root, '--export', 'clean') == 2


def test_faults_of_label_maps_are_not_those_of_boxes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = write_label_maps(tmp_path / 'maps')
    first = min((root / 'labels/train').iterdir())
    first.unlink()
    assert call('data', root) == 2
    shown = capsys.readouterr().err
    assert f'image without a label map in {first.parent}: {first.stem}.' in shown
    root = write_label_maps(tmp_path / 'untold')
    (root / 'classes.json').unlink()
    assert call('data', root) == 2
    assert f'expected {root / "classes.json"} with' in capsys.readouterr().err


def test_one_part_is_divided_as_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = write_folder(tmp_path / 'set')
    (root / 'annotations/val.json').unlink()
    assert call('data', root, '--val-share', '0.5', '--split-seed', '3') == 0
    assert '(--val-share 0.5, --split-seed 3)' in capsys.readouterr().out
    assert call('data', root, '--val-share', '1', '--export', 'all') == 0
    exported = Path('all/annotations/val.json').read_text(encoding='utf-8')
    assert len(json.loads(exported)['images']) == 2
