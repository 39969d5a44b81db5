"""Names of classes and files from strangers: no escape sequence, no forged line in any output."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from effnet_dense.data.findings import list_finding
from effnet_dense.data.label_maps.classes import read_classes
from effnet_dense.data.model_classes import checkpoint_meta
from effnet_dense.engine.console import quieten_console
from effnet_dense.report import write_page
from effnet_dense.report.store import save_json
from effnet_dense.utils.console import print_table
from effnet_dense.utils.controls import bad_name, escape_controls
from effnet_dense.utils.outputs import claim_folder
from tests.helpers.tiny_models import DETECTOR, SMALL
from tests.helpers.tool import call

HOSTILE = {
    'colour': '\x1b[31mred',
    'clear': '\x1b[2J',
    'line': 'a\nerror: b',
    'return': 'a\rb',
    'null': 'a\0b',
    'c1': '\x9b31m',
    'override': 'a\u202eb',
    'isolate': 'a\u2067b',
    'separator': 'a\u2028b',
    'surrogate': 'a\ud800',
    'long': 'x' * 100_000,
}
GOOD = ['Straße', 'कार\u200d', 'עגלה', '车', 'a b', 'x' * 200, '🚗']
names = pytest.mark.parametrize('name', HOSTILE.values(), ids=HOSTILE)


@names
def test_every_door_refuses_such_names(name: str, tmp_path: Path) -> None:
    path = tmp_path / 'classes.json'
    path.write_text(json.dumps({'classes': ['a', name]}), encoding='utf-8')
    meta = {'meta': {'dataset_meta': {'classes': ('a', name)}}}
    doors: Any = [lambda: read_classes(path), lambda: checkpoint_meta(meta, 'x.pth')]
    for door in doors:
        with pytest.raises(ValueError, match=r'control characters|100000 characters') as raised:
            door()
        assert str(raised.value).isprintable() and len(str(raised.value)) < 300


@pytest.mark.parametrize('name', GOOD)
def test_names_of_all_scripts_are_kept(name: str) -> None:
    assert bad_name(name) == '' and escape_controls(name) == name


@pytest.mark.parametrize('key', ['categories', 'images'])
def test_the_check_of_coco_escapes_what_it_quotes(
    key: str, tiny_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = shutil.copytree(tiny_data, tmp_path / 'data')
    path = data / 'annotations' / 'val.json'
    content = json.loads(path.read_text(encoding='utf-8'))
    field = 'name' if key == 'categories' else 'file_name'
    content[key][0][field] = '\x1b[31m\u202eforged\nerror: x'
    path.write_text(json.dumps(content), encoding='utf-8')
    assert call('train', DETECTOR, '--data', data, '--work-dir', tmp_path / 'run', *SMALL) == 2
    shown = ''.join(capfd.readouterr())
    assert '\x1b' not in shown and '\u202e' not in shown and '\nerror: x' not in shown
    assert 'forged' in shown


def test_findings_logs_and_tables(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (finding,) = list_finding('error', 'image', [HOSTILE['colour'], HOSTILE['line']])
    assert str(finding) == r'error: 2 × image: \x1b[31mred, a\nerror: b'
    logger = logging.getLogger('test_names')
    logger.addHandler(logging.FileHandler(tmp_path / 'x.log', encoding='utf-8'))
    quieten_console(logger)
    logger.warning('%s\n\tindented %s', HOSTILE['clear'], HOSTILE['override'])
    logger.handlers.pop().close()
    text = (tmp_path / 'x.log').read_text(encoding='utf-8')
    assert text == '\\x1b[2J\n\tindented a\\u202eb\n'
    print_table('t', ['name'], [[HOSTILE['colour']]])
    assert '\x1b[31mred' not in capsys.readouterr().out


def test_errors_of_tools(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call('train', f'{HOSTILE["colour"]}{HOSTILE["override"]}.py') == 2
    shown = capsys.readouterr().err
    assert 'red' in shown and '\x1b' not in shown and '\u202e' not in shown


def test_the_page(tmp_path: Path) -> None:
    folder = claim_folder(tmp_path / 'report')
    run: dict[str, Any] = dict(name=f'<b>{HOSTILE["colour"]}', images=1, classes=['a'])
    run.update(metrics={HOSTILE['override']: 1.0}, score_thr=0.3, palette=None)
    run.update(what='', date='', duration=0, versions={}, hardware={}, config='a = 1')
    claim_folder(folder / 'data')
    save_json(folder / 'data' / 'run.json', run)
    page = write_page(tmp_path).read_text(encoding='utf-8')
    assert '&lt;b&gt;\\x1b[31mred' in page and '\x1b' not in page and '\u202e' not in page


def test_a_checkpoint_with_such_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classes = ('a', HOSTILE['colour'])
    content = {'meta': {'dataset_meta': {'classes': classes}}, 'state_dict': {'a': torch.ones(1)}}
    torch.save(content, tmp_path / 'x.pth')
    (tmp_path / 'a.png').touch()
    words = (DETECTOR, tmp_path / 'x.pth', tmp_path / 'a.png', '--out', tmp_path / 'out')
    assert call('infer', *words, '--device', 'cpu') == 2
    shown = capsys.readouterr().err
    assert 'control characters' in shown and '\x1b' not in shown
