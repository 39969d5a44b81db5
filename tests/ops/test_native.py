"""C++ sources: compiled, or warnings to be not."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from effnet_dense.ops import native

SOURCE = """
#include <cstdint>
extern "C" void set(int64_t* to, int64_t a, int64_t b) { *to = 10 * a + b; }
"""


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is logged."""
    texts: list[str] = []
    monkeypatch.setattr(native, 'print_log', lambda text, *_: texts.append(text))
    return texts


def write(folder: Path, text: str) -> Path:
    source = folder / 'some_source.cpp'
    source.write_text(text, encoding='utf-8')
    return source


@pytest.mark.compiler
def test_a_function_is_called(tmp_path: Path, warnings: list[str]) -> None:
    source = write(tmp_path, SOURCE)
    assert native.is_compiled(source)
    found = ctypes.c_int64()
    native.function(source, 'set', pointers=1, sizes=2)(ctypes.addressof(found), 4, 2)
    assert found.value == 42
    assert not warnings


@pytest.mark.parametrize('compiler', ['absent-compiler', 'false'])
def test_no_compiler(
    compiler: str, tmp_path: Path, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch._inductor import config

    source = write(tmp_path, SOURCE + f'// {tmp_path}')
    with config.patch({'cpp.cxx': (compiler,)}):
        assert not native.is_compiled(source)
        assert not native.is_compiled(source)
        with pytest.raises(RuntimeError, match=r'some_source\.cpp could not be compiled'):
            native.function(source, 'set', pointers=1, sizes=2)
    assert len(warnings) == 1
    assert 'slower operators instead of some_source.cpp' in warnings[0]
    assert 'no C++ compiler' in warnings[0] or 'it could not be compiled' in warnings[0]


@pytest.mark.compiler
def test_a_source_that_does_not_compile(tmp_path: Path, warnings: list[str]) -> None:
    assert not native.is_compiled(write(tmp_path, 'no C++'))
    assert len(warnings) == 1
    assert 'it could not be compiled: ' in warnings[0] and 'error: ' in warnings[0]
    assert len(warnings[0].splitlines()) == 1, 'of pages of output the first error'
    assert 'C++ compile error' not in warnings[0]
