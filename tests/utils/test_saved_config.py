"""A config in a checkpoint: plain values, bounded, and read as data."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from torch import nn

from effnet_dense.engine.config import load_config
from effnet_dense.utils.saved_config import (
    KEY,
    MAX_CHARACTERS,
    MAX_VALUES,
    config_text,
    plain,
    saved_config,
)


def read(text: object) -> dict[str, Any] | None:
    return saved_config({'meta': {KEY: text}})


def nested(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = {}
    for _ in range(depth):
        inner = {'a': inner}
    return inner


class Mute:
    def __repr__(self) -> str:
        raise AttributeError('not initialised')


class Colour(enum.IntEnum):
    RED = 1


PLAIN: dict[str, tuple[Any, Any]] = {
    'tuple': ((1, (2.5, 'x')), [1, [2.5, 'x']]),
    'set': ({'b', 'a'}, ['a', 'b']),
    'none': (None, None),
    'bool': (True, True),
    'numpy integer': (np.int64(3), 3),
    'numpy float': (np.float64(0.5), 0.5),
    'infinity': (float('-inf'), '-inf'),
    'nan': (float('nan'), 'nan'),
    'class': (nn.Conv2d, 'torch.nn.modules.conv.Conv2d'),
    'function': (nested, f'{__name__}.nested'),
    'enumeration': (Colour.RED, '<Colour.RED: 1>'),
    'path': (Path('/a'), repr(Path('/a'))),
    'dtype': (torch.float16, 'torch.float16'),
    'without a text': (Mute(), f'<{__name__}.Mute object>'),
    'integer key': ({1: {2: 3}}, {'1': {'2': 3}}),
    'not UTF-8': ('\udcff', '\udcff'),
}


@pytest.mark.parametrize('kind', PLAIN)
def test_values_are_plain(kind: str) -> None:
    value, expected = PLAIN[kind]
    text = config_text({'value': value})
    text.encode('ascii')
    assert read(text) == plain({'value': value}) == {'value': expected}


def test_objects_have_the_same_text_in_each_process() -> None:
    assert '0x' not in plain({'value': object()})['value']


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.lists(inner).map(tuple),
    max_leaves=20,
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(), VALUES))
def test_what_is_read_is_what_is_compared(config: dict[str, Any]) -> None:
    text = config_text(config)
    assert read(text) == plain(config)
    assert config_text(plain(config)) == text


def test_a_shipped_config(tmp_path: Path) -> None:
    config = load_config('effnet_lite0_retinanet_finetune', work_dir=tmp_path)
    saved = read(config_text(config))
    assert saved is not None
    assert saved['model']['backbone']['type'] == 'effnet_dense.EfficientNet'
    assert saved == plain(Config(saved))
    assert len(config_text(config)) < 20_000


@pytest.mark.parametrize(
    ('config', 'words'),
    [
        ({'a': 'x' * MAX_CHARACTERS}, 'at most 2000000 characters'),
        ({'a': [0] * (MAX_VALUES + 1)}, 'at most 100000 values'),
        (nested(100), 'at most 50 levels'),
        ([1], 'expected a config, got list'),
    ],
)
def test_too_large_configs(config: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        config_text(config)


def test_a_config_that_contains_itself() -> None:
    config: dict[str, Any] = {}
    config.update(a=config, b=config)
    with pytest.raises(ValueError, match='at most'):
        config_text(config)


@pytest.mark.parametrize(
    'checkpoint', [{}, {'meta': {}}, {'meta': None}, {'meta': [1]}, {'state_dict': {}}, [1], None]
)
def test_checkpoints_without_a_config(checkpoint: Any) -> None:
    assert saved_config(checkpoint) is None


@pytest.mark.parametrize(
    'text',
    [
        'import os',
        "{'a': 1}",
        '{"a": ',
        '[1]',
        'null',
        '7',
        '',
        b'{}',
        {'a': 1},
        None,
        '[' * 100_000,
        json.dumps({'a': 'x' * MAX_CHARACTERS}),
    ],
)
def test_damaged_configs(text: object) -> None:
    with pytest.raises(ValueError, match="expected a JSON object as the checkpoint's meta"):
        read(text)
