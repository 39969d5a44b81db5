"""The key of the part of a config at which building failed."""

from __future__ import annotations

from typing import Any

import pytest
from mmengine.registry import Registry

from effnet_dense.utils.config_errors import config_errors

PARTS = Registry('parts of test_failing_part')


@PARTS.register_module()
class Outer:
    def __init__(self, inner: Any, other: Any = None) -> None:
        inner = {**inner, 'given': 1} if 'size' in inner else inner
        self.parts = [PARTS.build(part) for part in (inner, other) if part is not None]


@PARTS.register_module()
class Inner:
    def __init__(self, size: int, given: int = 0) -> None:
        if size < 0:
            raise ValueError(f'expected a size of at least 0, got {size}')


GOOD: dict[str, Any] = dict(type='Inner', size=1)
BAD: dict[str, Any] = dict(type='Inner', size=-1)


@pytest.mark.parametrize(
    ('config', 'words'),
    [
        (dict(type='Outer', inner=BAD), 'model.inner: expected a size'),
        (dict(type='Outer', inner=GOOD, other=BAD), 'model.other: expected a size'),
        (dict(type='Outer', inner={}), 'model.inner: a part has no type'),
        (dict(type='Outer', inner=dict(type='Inner', sizes=1)), r'model.inner cannot be built'),
        # changed before it was built, and one of two: neither is named
        (dict(type='Outer', inner=BAD, other=GOOD), 'model: expected a size'),
    ],
)
def test_the_innermost_part_is_named(config: Any, words: str) -> None:
    with (
        pytest.raises(ValueError, match=f'^{words}'),
        config_errors('model', values=True, config={'model': config}),
    ):
        PARTS.build(config)


def test_without_the_config_the_name_of_the_whole_stays() -> None:
    with (
        pytest.raises(ValueError, match=r'^a or b: expected'),
        config_errors('a or b', values=True),
    ):
        PARTS.build(BAD)
