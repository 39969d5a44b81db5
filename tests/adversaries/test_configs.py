"""Hostile and impossible config files: data runs nothing, and one line says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from effnet_dense.commands.program import message
from effnet_dense.engine.config import load_config
from tests.helpers.tool import call

RUNS = 'subprocess.check_output'


def write(path: Path, content: Any) -> Path:
    """Write a config in the format of its suffix; text and bytes are written unchanged."""
    if isinstance(content, bytes):
        path.write_bytes(content)
        return path
    if not isinstance(content, str):
        content = json.dumps(content) if path.suffix == '.json' else yaml.safe_dump(content)
    path.write_text(content, encoding='utf-8')
    return path


def refusal(path: Path) -> str:
    """The one line with which a config is refused."""
    with pytest.raises((ValueError, OSError)) as raised:
        load_config(path)
    text = message(raised.value)
    assert '\n' not in text and len(text) < 600, text
    return text


@pytest.mark.parametrize('suffix', ['yaml', 'yml', 'json'])
@pytest.mark.parametrize(
    ('content', 'key'),
    [
        ({'model': {'type': RUNS, 'args': ['id']}}, 'model.type'),
        ({'a': {'b': [{'c': 1}, {'type': RUNS}]}}, 'a.b.1.type'),
        ({'model': {'type': 'mmengine.utils.import_modules_from_strings'}}, 'model.type'),
        ({'model': {'type': 'antigravity'}}, 'model.type'),
        ({'model': {'type': 'antigravity.Model'}}, 'model.type'),
        ({'model': {'type': ['RetinaNet']}}, 'model.type'),
        ({'nms': {'type': '__import__("os").system("id")'}}, 'nms.type'),
        ({'optim_wrapper': {'constructor': RUNS}}, 'optim_wrapper.constructor'),
        ({'runner_type': RUNS}, 'runner_type'),
        ({'default_scope': 'antigravity'}, 'default_scope'),
        ({'model': {'type': 'RetinaNet', '_scope_': 'antigravity'}}, 'model._scope_'),
        ({'custom_hooks': [{'type': 'RFSearchHook'}]}, 'custom_hooks.0.type'),
    ],
)
def test_a_type_in_data_is_a_registered_name(
    suffix: str, content: Any, key: str, tmp_path: Path
) -> None:
    text = refusal(write(tmp_path / f'evil.{suffix}', content))
    assert f'evil.{suffix}' in text and key in text


@pytest.mark.parametrize('suffix', ['yaml', 'json'])
@pytest.mark.parametrize(
    ('content', 'key'),
    [
        ({'train_dataloader': {'dataset': {'proposal_file': 'a/x.pkl'}}}, 'dataset.proposal_file'),
        ({'data': [{'ann_file': 'https://evil.org/x.json?.pickle'}]}, 'data.0.ann_file'),
        ({'data': {'ann_file': 'pkl'}}, 'data.ann_file'),
        ({'data': {'extra_ann_file': ['x.json', 'x.yaml']}}, 'data.extra_ann_file.1'),
        ({'loss': {'class_weight': 'x.yml'}}, 'loss.class_weight'),
        ({'load': {'decode_backend': 'pickle'}}, 'load.decode_backend'),
        ({'data': {'type': 'OpenImagesChallengeDataset'}}, 'data.type'),
    ],
)
def test_data_names_no_file_that_would_be_unpickled(
    suffix: str, content: Any, key: str, tmp_path: Path
) -> None:
    text = refusal(write(tmp_path / f'evil.{suffix}', content))
    assert key in text and 'run' in text and 'Python config' in text


def test_data_may_name_weights_and_outputs_of_these_suffixes(tmp_path: Path) -> None:
    content = {
        'load_from': 'detector.pkl',
        'test_evaluator': {'type': 'DumpDetResults', 'out_file_path': 'found.pkl'},
    }
    config = load_config(write(tmp_path / 'plain.yaml', content))
    assert config.load_from == 'detector.pkl'


def test_registered_names_are_accepted(tmp_path: Path) -> None:
    content = {
        'default_scope': 'mmdet',
        'runner_type': 'effnet_dense.Runner',
        'model': {'type': 'mmdet.RetinaNet', 'backbone': {'type': 'effnet_dense.EfficientNet'}},
        'optim_wrapper': {
            'constructor': 'DefaultOptimWrapperConstructor',
            'optimizer': {'type': 'SGD'},
        },
        'nms': {'type': 'nms'},
        'none': {'type': None},
    }
    config = load_config(write(tmp_path / 'plain.yaml', content))
    assert config.model.backbone.type == 'effnet_dense.EfficientNet'


def test_a_type_through_a_base_and_its_variables(tmp_path: Path) -> None:
    write(tmp_path / 'base.yaml', {'model': {'type': RUNS}, 'name': RUNS})
    for suffix in ('yaml', 'json'):
        leaf = write(tmp_path / f'leaf.{suffix}', {'_base_': ['base.yaml'], 'b': 1})
        assert 'model.type' in refusal(leaf)
    write(tmp_path / 'base.yaml', {'name': RUNS})
    leaf = write(tmp_path / 'leaf.yaml', '_base_: base.yaml\nmodel:\n  type: {{_base_.name}}\n')
    assert 'model.type' in refusal(leaf)
    # A Python config is code, but the data that it inherits is still data.
    write(tmp_path / 'outer.py', "_base_ = 'leaf.yaml'")
    assert 'model.type' in refusal(tmp_path / 'outer.py')


@pytest.mark.parametrize('default', ['/data/c++', 'a+b', '(', r'\1', '(x+x+)+y', 'x' * 60])
def test_a_default_is_plain_text(default: str, tmp_path: Path) -> None:
    texts = [default, '(x+x+)+y', 'x' * 60]
    items = [f'{{{{$UNSET_VARIABLE:{text}}}}}' for text in texts]
    assert list(load_config(write(tmp_path / 'leaf.py', f'a = {items!r}')).a) == texts


def test_merge_keys_may_repeat_what_they_merge(tmp_path: Path) -> None:
    text = 'a: &a {x: 1, y: 2}\nb: &b\n  <<: *a\n  x: 3\nc:\n  <<: *b\n  y: 4\nd: *b\n'
    config = load_config(write(tmp_path / 'leaf.yaml', text))
    assert (config.b, config.c, config.d) == ({'x': 3, 'y': 2}, {'x': 3, 'y': 4}, config.b)


@pytest.mark.parametrize('suffix', ['yaml', 'json'])
@pytest.mark.parametrize('base', ['code.py', ['plain.yaml', 'code.py'], 'mmdet::_base_/x.py', 7])
def test_data_inherits_no_python(suffix: str, base: Any, tmp_path: Path) -> None:
    canary = tmp_path / 'canary'
    write(tmp_path / 'code.py', f'import os\nos.mkdir({str(canary)!r})\n')
    write(tmp_path / 'plain.yaml', {'a': 1})
    assert '_base_' in refusal(write(tmp_path / f'leaf.{suffix}', {'_base_': base}))
    assert not canary.exists()


@pytest.mark.parametrize('suffix', ['yaml', 'json'])
def test_data_imports_nothing(suffix: str, tmp_path: Path) -> None:
    content = {'custom_imports': {'imports': ['antigravity']}}
    base = write(tmp_path / f'base.{suffix}', content)
    for path in (base, write(tmp_path / 'leaf.yaml', {'_base_': base.name})):
        assert 'custom_imports' in refusal(path)


BOMB = 'a: &a [x, x, x, x, x, x, x, x, x]\n' + ''.join(
    f'{key}: &{key} [{", ".join([f"*{before}"] * 9)}]\n'
    for before, key in zip('abcdefghijk', 'bcdefghijkl', strict=True)
)


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (BOMB, 'expand to more than'),
        ('a: &a\n  b: *a\n', 'contains itself'),
        ('a: &a [*a]\n', 'contains itself'),
        ('a: ' + '[' * 5000, 'nested'),
        ('a: ' + '[' * 5000 + ']' * 5000, 'nested'),
        ('- 1\n- 2\n', 'list'),
        ('7\n', 'int'),
        ('', 'empty'),
        ('1: 2\n', '1'),
        ('a: {{ undefined }}\n', 'undefined'),
        ('a: "{{ undefined }}"\n', 'undefined'),
        ('_base_: base.yaml\na: {{_base_.undefined}}\n', 'undefined'),
        ('a: {{$UNSET_VARIABLE}}\n', 'UNSET_VARIABLE'),
        ('a: {{$UNSET_VARIABLE:}}\n', 'UNSET_VARIABLE'),
        ('a: {b: 1, c: 2, b: 3}\n', "'b' is written twice"),
        ('a: 1\n"a": 2\n', "'a' is written twice"),
        ('_base_: leaf.yaml\n', 'inherits itself'),
        ('_base_: absent.yaml\n', 'absent.yaml'),
        ('a: [1\nb: 2\n', 'leaf.yaml'),
        (b'a: \xff\xfe\n', 'leaf.yaml'),
        ('text: 1\n', 'text'),
    ],
)
def test_impossible_yaml(content: Any, words: str, tmp_path: Path) -> None:
    write(tmp_path / 'base.yaml', {'b': 1})
    text = refusal(write(tmp_path / 'leaf.yaml', content))
    assert words in text and '.yaml' in text


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('[1, 2]', 'list'),
        ('null', 'empty'),
        ('{"a": ' * 100_000, 'nested'),
        ('{"a": ' + '9' * 10_000 + '}', 'digits'),
        ('{"_base_": "leaf.json"}', 'inherits itself'),
        ('{"a": {"b": 1, "b": 2}}', "'b' is written twice"),
        ('{"a": "{{ undefined }}"}', 'undefined'),
    ],
)
def test_impossible_json(content: str, words: str, tmp_path: Path) -> None:
    assert words in refusal(write(tmp_path / 'leaf.json', content))


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('a = undefined', "'undefined' is not defined"),
        ('a = dict(b=1)\na["b"] = a', 'itself'),
        ("_base_ = 'leaf.py'", 'inherits itself'),
        ("_base_ = 'other.py'", 'inherits itself'),
        ("_base_ = '../absent.py'", 'absent.py'),
        ('_base_ = some_name', 'some_name'),
        ('_base_ = 7', '_base_'),
        ("a = '{{ undefined }}'", 'undefined'),
        ('a = 1 / 0', 'division by zero'),
        ("raise RuntimeError('two\\nlines')", 'two'),
        ('import antigravity_absent', 'antigravity_absent'),
        ('a = [1, 2', 'leaf.py'),
        ('filename = 3', 'filename'),
    ],
)
def test_impossible_python(content: str, words: str, tmp_path: Path) -> None:
    write(tmp_path / 'other.py', "_base_ = 'leaf.py'")
    text = refusal(write(tmp_path / 'leaf.py', content))
    assert words in text and '.py' in text


def test_the_tools_say_it_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / 'evil.yaml', {'model': {'type': RUNS, 'args': ['id']}})
    commands = [('train',), ('test', 'x.pth'), ('infer', 'x.pth', 'y', '--out', 'z')]
    for tool, *words in commands:
        assert call(tool, path, *words) == 2
        shown = capsys.readouterr().err
        assert RUNS in shown and shown.count('\n') == 1


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('[1, 2]', 'a file without any'),
        ('', 'a file without any'),
        ('import sys\nsys.exit(3)', 'ends the program'),
    ],
)
def test_python_files_that_are_no_configs(content: str, words: str, tmp_path: Path) -> None:
    assert words in refusal(write(tmp_path / 'leaf.py', content))


def test_files_of_other_kinds_are_named(tmp_path: Path) -> None:
    assert 'x.txt is not a config' in refusal(write(tmp_path / 'x.txt', 'a = 1'))


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('a = 1', 'must define model=dict(type=…), got None'),
        ('model = None', 'must define model=dict(type=…), got None'),
        ('model = 3', 'model must be a dictionary, got 3'),
        ("model = 'RetinaNet'", 'model must be a dictionary'),
        ('model = dict()', 'must name a class as model.type'),
    ],
)
def test_configs_without_a_model(
    content: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / 'leaf.py', content)
    for words_of_tool in (
        ('train',),
        ('train', '--data', tmp_path),
        ('test', 'x.pth'),
        ('infer', 'x.pth', tmp_path, '--out', tmp_path / 'out'),
    ):
        tool, *rest = words_of_tool
        assert call(tool, path, *rest) == 2
        shown = capsys.readouterr().err
        assert words in shown and shown.count('\n') == 1
