"""Errors of a config's part name it."""

from __future__ import annotations

import pytest

from effnet_dense.utils.config_errors import config_errors


def build(depth: int) -> None:
    if depth < 2:
        raise AssertionError


def test_arguments_and_assertions_become_value_errors() -> None:
    unexpected = r"^model cannot be built from the config: .*'width'"
    with pytest.raises(ValueError, match=unexpected), config_errors('model'):
        build(width=1)  # type: ignore[call-arg]
    bare = r'model cannot be .*: raise AssertionError \(test_config_errors.py, line'
    with pytest.raises(ValueError, match=bare), config_errors('model'):
        build(1)


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError), config_errors('model'):
        raise KeyError('x')


@pytest.mark.parametrize('error', [KeyError('x'), ValueError('x'), ZeroDivisionError('x')])
def test_impossible_values_name_the_part(error: Exception) -> None:
    named = pytest.raises(ValueError, match=r'^optim_wrapper: x$')
    with named, config_errors('optim_wrapper', values=True):
        raise error
