"""Hostile and damaged files through every door: no code runs, and one line says what is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.registry import RUNNERS
from mmengine.runner import CheckpointLoader
from torch import nn

from effnet_dense.commands.program import message
from effnet_dense.data.coco.annotation_file import read_coco
from effnet_dense.data.label_maps.classes import read_classes
from effnet_dense.engine.config import load_config, shipped_configs
from effnet_dense.inference import Predictor
from effnet_dense.weights import Pretrained, load_weights
from tests.helpers.hostile import FILES, payloads, running, state
from tests.helpers.tiny import options
from tests.helpers.tool import call

CONFIG = 'effnet_lite0_retinanet_finetune'


@pytest.fixture(scope='module')
def runner(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp('hostile')
    return RUNNERS.build(load_config(CONFIG, tiny_data, options(), folder))


@pytest.fixture
def doors(runner: Any, monkeypatch: pytest.MonkeyPatch) -> list[Callable[[str], Any]]:
    """Everything that reads a checkpoint; `load_from` and tools/test.py are the runner's."""
    monkeypatch.setattr(runner, '_resume', False)

    def resume(path: str) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(runner, '_resume', True)
            runner.load_checkpoint(path)

    return [
        lambda path: load_weights(nn.Linear(1, 2), path),
        lambda path: Pretrained(path)(nn.Linear(1, 2)),
        lambda path: CheckpointLoader.load_checkpoint(path),
        lambda path: Predictor(CONFIG, path, 'cpu'),
        runner.load_checkpoint,
        resume,
    ]


@pytest.mark.slow
@pytest.mark.parametrize('name', FILES)
def test_no_file_runs_code(
    name: str, tmp_path: Path, doors: list[Callable[[str], Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    canary, path = tmp_path / 'canary', tmp_path / name
    FILES[name](path, canary)
    for door in doors:
        with pytest.raises((ValueError, FileNotFoundError)) as raised:
            door(str(path))
        text = message(raised.value)
        assert path.name in text and '\n' not in text, text
        assert 'weights_only=False' not in text
    assert call('infer', CONFIG, path, tmp_path, '--out', tmp_path / 'out', '--device', 'cpu') == 2
    shown = capsys.readouterr().err
    assert path.name in shown and 'Traceback' not in shown
    assert not canary.exists()


@pytest.mark.parametrize('name', payloads(Path('canary')))
def test_the_payloads_are_real(name: str, tmp_path: Path) -> None:
    running(name, 'meta')(tmp_path / 'x.pth', tmp_path / 'canary')
    torch.load(tmp_path / 'x.pth', weights_only=False)
    assert (tmp_path / 'canary').exists()


def test_a_configs_text_in_a_checkpoint_stays_text(tmp_path: Path, runner: Any) -> None:
    """mmengine executes `meta['config']` when it resumes, its inferencer `meta['cfg']`."""
    canary, path = tmp_path / 'canary', tmp_path / 'x.pth'
    content = state()
    text = f'import os\nos.mkdir({str(canary)!r})\n'
    content['meta'].update(cfg=text, config=text)
    content['state_dict'] = runner.model.state_dict()
    torch.save(content, path)
    options = {'model.backbone.init_cfg': None}
    predictor = Predictor(load_config(CONFIG, options=options), path, 'cpu')
    assert predictor.dataset_meta['classes'] == ('a', 'b')
    runner._resume = True
    try:
        assert 'config' not in runner.load_checkpoint(str(path))['meta']
    finally:
        runner._resume = False
    assert not canary.exists()


@pytest.mark.parametrize(
    'meta',
    [[1], {'classes': [1, 2]}, {'classes': []}, {'classes': {'a': 1}}, {'classes': 7}],
)
def test_hostile_names_of_classes(meta: Any, tmp_path: Path) -> None:
    content = state()
    content['meta']['dataset_meta'] = meta
    torch.save(content, tmp_path / 'x.pth')
    with pytest.raises(ValueError, match=r'x\.pth: expected'):
        Predictor(CONFIG, tmp_path / 'x.pth', 'cpu')


@pytest.mark.parametrize('suffix', ['yaml', 'yml'])
def test_yaml_is_data(suffix: str, tmp_path: Path) -> None:
    canary = tmp_path / 'canary'
    base, leaf = tmp_path / f'base.{suffix}', tmp_path / f'leaf.{suffix}'
    base.write_text(f'a: !!python/object/apply:os.mkdir ["{canary}"]\n', encoding='utf-8')
    leaf.write_text(f'_base_: [base.{suffix}]\nb: 1\n', encoding='utf-8')
    for path in (base, leaf):
        with pytest.raises(ValueError, match=rf'{path.name} is not a config.*python/object'):
            load_config(path)
    assert not canary.exists()
    base.write_text('a: 2\n', encoding='utf-8')
    assert load_config(leaf).a == 2


IMAGE = {'id': 1, 'file_name': '0.png', 'width': 64, 'height': 64}


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('[' * 100_000, 'not valid JSON'),
        ('{"images": ' + '9' * 10_000 + '}', 'not valid JSON'),
        (b'\xff\xfe\x00', 'val.json is not UTF-16: byte 2'),
        ('', 'is empty'),
        ('null', 'got null'),
        ({'images': [{**IMAGE, 'file_name': '../../../../etc/passwd'}]}, 'etc/passwd'),
        ({'images': [{**IMAGE, 'file_name': '/etc/passwd'}]}, 'etc/passwd'),
        ({'images': [{**IMAGE, 'file_name': '0.png\0.exe'}]}, 'did you mean'),
        ({'images': [{**IMAGE, 'width': float('nan')}]}, 'no weights at x.pth'),  # repaired
        ({'images': [{**IMAGE, 'id': [1]}]}, 'no weights at x.pth'),
        ({'images': [{**IMAGE, 'width': 10**400}]}, 'positive number'),
        ({'images': {'0': IMAGE}}, 'must be a list'),
    ],
)
def test_hostile_annotations(
    content: Any,
    words: str,
    tiny_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = shutil.copytree(tiny_data, tmp_path / 'data')
    path = data / 'annotations' / 'val.json'
    if isinstance(content, dict):
        content = json.dumps({**json.loads(path.read_text(encoding='utf-8')), **content})
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert call('test', CONFIG, 'x.pth', '--data', data, '--work-dir', tmp_path) == 2
    shown = capsys.readouterr().err
    assert words in shown and 'Traceback' not in shown and 'root:' not in shown


@pytest.mark.parametrize(
    'content',
    ['[' * 100_000, '7', '{"classes": {"a": 1}}', '{"classes": ["a", NaN]}', '9' * 10_000],
)
def test_hostile_classes(content: str, tmp_path: Path) -> None:
    (tmp_path / 'classes.json').write_text(content, encoding='utf-8')
    with pytest.raises(ValueError, match=r'classes\.json'):
        read_classes(tmp_path / 'classes.json')


def test_deep_json_is_no_crash(tmp_path: Path) -> None:
    (tmp_path / 'x.json').write_text('{"a":' * 100_000, encoding='utf-8')
    with pytest.raises(ValueError, match=r'x\.json is not valid JSON'):
        read_coco(tmp_path / 'x.json')


@pytest.mark.slow
@pytest.mark.parametrize('name', shipped_configs())
def test_no_shipped_config_broadcasts_pickles(name: str) -> None:
    """mmdet's SyncNormHook unpickles what other processes send (CVE-2024-12044)."""
    text = load_config(name).pretty_text
    assert 'SyncNormHook' not in text and '.pkl' not in text
