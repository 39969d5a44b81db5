"""The norm's Triton kernels without a GPU: in Triton's interpreter, or compiled only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, library

from effnet_dense.ops import triton_norm
from effnet_dense.ops import triton_norm_operators as operators
from tests.helpers.versions import is_before

HOPPER = 'cuda', 90, 32  # backend, compute capability, threads of a warp
CPU = torch.device('cpu')
OPERATORS = {
    'statistics': operators._statistics,
    'act': operators._norm_act,
    'means': operators._means,
    'sums': operators._sums,
    'input_gradient': operators._input_gradient,
}


@contextmanager
def triton_on_cpu() -> Iterator[list[str]]:
    """Let the norm's operators run on CPUs as they do on CUDA, at every size; yield their calls."""
    pytest.importorskip('triton', reason='triton is not installed')
    if is_before('triton', '3.8') and not is_before('numpy', '2.4'):
        pytest.skip('the interpreter of triton before 3.8 needs NumPy before 2.4')
    import triton.language as tl

    from effnet_dense.ops import triton_norm_kernels

    calls: list[str] = []
    original = operators._launch

    def launch(name: str, *args: Any) -> None:
        calls.append(name)
        original(name, *args)

    # The interpreter leaves some of its own functions in the language.
    with _launching(launch) as patch, _restored(tl, tl.core, tl.math, tl.tensor):
        _interpret(patch, tl, tl.standard, triton_norm_kernels)
        patch.setattr(triton_norm, 'DEVICES', ('cpu',))
        patch.setattr(triton_norm, 'SMALLEST', 0)
        triton_norm.is_available.cache_clear()
        try:
            assert all(triton_norm.is_available(CPU, dtype) for dtype in triton_norm.DTYPES)
            calls.clear()
            yield calls
        finally:
            triton_norm.is_available.cache_clear()


@contextmanager
def compiled_for_hopper() -> Iterator[dict[str, list[Any]]]:
    """Let the norm's operators compile on CPUs what they would launch on an H100, and not run it.

    Yields:
        Kernel → the outputs of its compilations, such as 'ptx'.
    """
    from triton.backends.compiler import GPUTarget
    from triton.runtime import driver

    from effnet_dense.ops import triton_norm_kernels

    class Driver:
        def get_current_target(self) -> GPUTarget:
            return GPUTarget(*HOPPER)

        def get_current_device(self) -> int:
            return -1  # no real one, whose kernels triton keeps by this number

        def get_current_stream(self, device: int) -> int:
            return 0

    found: dict[str, list[Any]] = {}

    def launch(name: str, grid: tuple[int, ...], constants: dict[str, Any], *args: Any) -> None:
        kernel = getattr(triton_norm_kernels, name).warmup(*args, grid=grid, **constants)
        found.setdefault(name, []).append(kernel.asm)

    driver.set_active(Driver())
    try:
        with _launching(launch):
            yield found
    finally:
        driver.set_active(None)  # triton looks for one when it needs one


@contextmanager
def _launching(launch: Callable[..., None]) -> Iterator[pytest.MonkeyPatch]:
    """Register the operators for CPUs, with another function that launches their kernels."""
    registered = library.Library('effnet_dense', 'IMPL')
    for name, kernel in OPERATORS.items():
        registered.impl(f'triton_norm_{name}', kernel, 'CPU')
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(operators, '_launch', launch)
            yield patch
    finally:
        registered._destroy()


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


def assert_within(found: Iterable[Tensor], right: Iterable[Tensor], bound: float) -> None:
    """Assert that results differ by no more than a share of the largest value, or of 1."""
    for a, b in zip(found, right, strict=True):
        assert a.shape == b.shape
        error = (a.double() - b.double()).abs().max()
        assert error <= bound * max(b.abs().max().item(), 1.0), (error, b.abs().max())
