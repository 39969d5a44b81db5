"""What YAML and JSON configs may contain."""

from __future__ import annotations

from typing import Any

import pytest

from effnet_dense.engine.checks.plain_data import (
    check_bases,
    check_placeholders,
    check_replaced,
    check_runs_nothing,
    check_size,
)


def test_shared_values_are_counted_as_often_as_they_are_used() -> None:
    shared: list[Any] = [0] * 999
    check_size([shared] * 199)
    with pytest.raises(ValueError, match='expand to more than'):
        check_size([shared] * 200)


def test_a_value_that_contains_itself() -> None:
    loop: dict[str, Any] = {}
    loop['a'] = [loop]
    with pytest.raises(ValueError, match='contains itself'):
        check_size(loop)


@pytest.mark.parametrize(
    'text',
    [
        'a: {{ fileBasename }}',
        'a: {{_base_.b.c}}',
        '# {{ anything }}',
    ],
)
def test_known_placeholders(text: str) -> None:
    check_placeholders(text)


def test_unknown_placeholders() -> None:
    for text in ('a: {{ basename }}', 'a: {{_base_}}'):
        with pytest.raises(ValueError, match='nothing defines'):
            check_placeholders(text)
    for text in ("a: {{'$N:80'}}", 'a: {{$N:/default/dir}}', 'a: {{$N}}'):
        with pytest.raises(ValueError, match=r'\$N of the environment is not allowed'):
            check_placeholders(text)
    with pytest.raises(ValueError, match='1001 items'):
        check_placeholders('{{_base_.a}}' * 1001)
    with pytest.raises(ValueError, match="nothing defines 'x'"):
        check_replaced({'a': ['b', ('{{ x }}/c',)]})
    check_replaced({'a': '{{ two words }}'})


def test_bases() -> None:
    check_bases(['a.py', 'mmdet::b.py'], data=False)
    check_bases('a.yaml', data=True)
    for bases, data in ((['a.yaml', 'b.py'], True), ([7], False)):
        with pytest.raises(ValueError, match='_base_'):
            check_bases(bases, data)


def test_names_of_other_libraries() -> None:
    check_runs_nothing({'a': {'type': 'Albu', 'transforms': [{'type': 'RandomGamma'}]}})
    check_runs_nothing({'roi_layer': {'type': 'RoIAlign'}, 'nms': {'type': 'soft_nms'}})
    with pytest.raises(ValueError, match=r"a\.type is 'RetinaNett'.*did you mean RetinaNet"):
        check_runs_nothing({'a': {'type': 'RetinaNett'}})
