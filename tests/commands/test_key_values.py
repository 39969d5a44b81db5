"""`--cfg-options`: mmengine's rules, dictionaries, and no traceback for any text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config, DictAction

from effnet_dense.commands.config_arguments import config_parser
from effnet_dense.commands.key_values import parse_pair, parse_value
from effnet_dense.commands.program import run

SCALARS = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False).map(repr),
    st.sampled_from(
        ['True', 'false', 'None', 'x', 'a/b.pth', 'timm://b0', '1e-3', '-2', '~', '0x1']
    ),
)
TEXTS = st.recursive(
    SCALARS,
    lambda inner: st.tuples(st.lists(inner, max_size=4), st.sampled_from(['[{}]', '({})'])).map(
        lambda pair: pair[1].format(', '.join(pair[0]))
    ),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(st.one_of(TEXTS, st.lists(SCALARS, min_size=1, max_size=3).map(','.join)))
def test_lists_and_tuples_are_mmengines(text: str) -> None:
    assert parse_value(text) == DictAction._parse_iterable(text)


@settings(max_examples=50, deadline=None)
@given(st.text('[](){}=,:\'"dict xX1.-', max_size=20))
def test_any_text_is_a_value_or_an_error(text: str) -> None:
    try:
        parse_value(text)
    except ValueError as error:
        assert '\n' not in str(error)


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('dict(x=1)', {'x': 1}),
        ('dict(type=SGD, lr=0.1, betas=(0.9, 0.99))', dict(type='SGD', lr=0.1, betas=(0.9, 0.99))),
        ('{"x": 1}', {'x': 1}),
        (
            "{'x': [1, 'a,b', \"2\"], \"y\": null, 'z': true}",
            dict(x=[1, 'a,b', '2'], y=None, z=True),
        ),
        ('[dict(type=A, p=0.5), {"type": "B"}]', [dict(type='A', p=0.5), dict(type='B')]),
        (
            'dict(a=dict(b=dict(c=[])), url=http://x:1/y)',
            dict(a=dict(b=dict(c=[])), url='http://x:1/y'),
        ),
        ('{}', {}),
        ('dict()', {}),
        ('"[1,2]"', [1, 2]),
        ("'a','b'", ['a', 'b']),
        ("(big bee, dog's)", ('big bee', "dog's")),
        ('["a,b", c]', ['a,b', 'c']),
        ('my runs/1', 'my runs/1'),
        ('^(head|neck)', '^(head|neck)'),
        ('(head|neck)x', '(head|neck)x'),
        ('dictionary', 'dictionary'),
        ('', ''),
        ('[]', []),
        ('(1,)', (1,)),
        ('[,]', ['']),
        ('9' * 5000, float('inf')),
    ],
)
def test_values(text: str, value: Any) -> None:
    found = parse_value(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('lr', 'expected KEY=VALUE pairs'),
        ('=1', 'a key such as a.b.0.c'),
        ('a..b=1', 'a key such as a.b.0.c'),
        ('a.=1', 'a key such as a.b.0.c'),
        ('a =1', 'a key such as a.b.0.c'),
        ('a=[1,2', "expected ']'"),
        ('a=(1,2]', "']' closes no bracket"),
        ('a=dict(b=1', "expected ')'"),
        ('a=dict(1)', "expected dict(key=value), got the entry '1'"),
        ('a=dict(b-c=1)', 'expected dict(key=value)'),
        ('a={1}', 'expected {"key": value}'),
        ('a={"x": 1, 2}', 'expected {"key": value}'),
        ('a=' + '[' * 60 + ']' * 60, 'more than 50 deep'),
        ('a=' + '[' * 100_000, 'is not closed'),
    ],
)
def test_malformed_pairs_are_argparses_error(
    text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError):
        parse_pair(text)
    with pytest.raises(SystemExit, match='2'):
        run(lambda args: None, config_parser('A tool.'), ['some_config', '--cfg-options', text])
    assert words in capsys.readouterr().err


def test_a_dictionary_is_merged_and_attributes_work() -> None:
    config = Config(dict(optimizer=dict(type='Adam', lr=0.1), pipeline=[dict(type='A')]))
    words = ['c', '--cfg-options', 'optimizer=dict(type=SGD, momentum=0.9)']
    words += ['pipeline=[dict(type=B), dict(type=C, prob=1)]']
    config.merge_from_dict(config_parser(None).parse_args(words).cfg_options)
    assert config.optimizer == dict(type='SGD', lr=0.1, momentum=0.9)
    assert [step.type for step in config.pipeline] == ['B', 'C']
