"""Triton kernels on the CPU, in Triton's interpreter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from packaging.version import Version
from torch import library

from effnet_dense.ops import triton_norm, triton_norm_operators

CPU = torch.device('cpu')
OPERATORS = {
    'statistics': triton_norm_operators._statistics,
    'act': triton_norm_operators._norm_act,
    'means': triton_norm_operators._means,
    'sums': triton_norm_operators._sums,
    'input_gradient': triton_norm_operators._input_gradient,
}


@contextmanager
def triton_on_cpu() -> Iterator[list[str]]:
    """Let the norm's operators run on CPUs as they do on CUDA, at every size; yield their calls."""
    version = Version(pytest.importorskip('triton', reason='triton is not installed').__version__)
    if version < Version('3.8') and Version(np.__version__) >= Version('2.4'):
        pytest.skip(f'the interpreter of triton {version} needs NumPy before 2.4')
    import triton.language as tl

    from effnet_dense.ops import triton_norm_kernels

    calls: list[str] = []
    launch = triton_norm_operators._launch

    def spy(name: str, *args: Any) -> None:
        calls.append(name)
        launch(name, *args)

    operators = library.Library('effnet_dense', 'IMPL')
    for name, kernel in OPERATORS.items():
        operators.impl(f'triton_norm_{name}', kernel, 'CPU')
    # The interpreter leaves some of its own functions in the language.
    with pytest.MonkeyPatch.context() as patch, _restored(tl, tl.core, tl.math, tl.tensor):
        _interpret(patch, tl, tl.standard, triton_norm_kernels)
        patch.setattr(triton_norm, 'DEVICES', ('cpu',))
        patch.setattr(triton_norm, 'SMALLEST', 0)
        patch.setattr(triton_norm_operators, '_launch', spy)
        triton_norm.is_available.cache_clear()
        try:
            assert all(triton_norm.is_available(CPU, dtype) for dtype in triton_norm.DTYPES)
            calls.clear()
            yield calls
        finally:
            operators._destroy()
            triton_norm.is_available.cache_clear()


def _interpret(patch: pytest.MonkeyPatch, *modules: ModuleType) -> None:
    """Replace the compiled functions of modules by interpreted ones.

    TRITON_INTERPRET=1 does so when triton is imported, for everything in a process.
    """
    from triton.runtime.interpreter import InterpretedFunction
    from triton.runtime.jit import JITFunction, mangle_type

    mangle_type(1)  # imports more of triton, which expects compiled functions
    for module in modules:
        for name, value in vars(module).copy().items():
            if isinstance(value, JITFunction):
                patch.setattr(module, name, InterpretedFunction(value.fn))


@contextmanager
def _restored(*owners: Any) -> Iterator[None]:
    """Restore the attributes of modules and classes."""
    before = [vars(owner).copy() for owner in owners]
    try:
        yield
    finally:
        for owner, own in zip(owners, before, strict=True):
            for name, value in vars(owner).copy().items():
                if name not in own:
                    delattr(owner, name)
                elif own[name] is not value:
                    setattr(owner, name, own[name])
