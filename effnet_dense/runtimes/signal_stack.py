"""Keep the stack on which this thread handles signals."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class _Stack(ctypes.Structure):
    """Linux's `stack_t`."""

    _fields_ = (
        ('address', ctypes.c_void_p),
        ('flags', ctypes.c_int),
        ('size', ctypes.c_size_t),
    )


@contextmanager
def kept_signal_stack() -> Iterator[None]:
    """Restore this thread's alternate signal stack (sigaltstack(2)) after the block.

    OpenVINO's CPU plugin sets one of its own, and frees it with its network. Where networks end in
    another order than they began, the thread is left with one that no longer exists: the next
    signal, such as Ctrl-C, then ends the process with a segmentation fault.
    """
    if sys.platform != 'linux':
        yield
        return
    system, stack = ctypes.CDLL(None), _Stack()
    system.sigaltstack(None, ctypes.byref(stack))
    try:
        yield
    finally:
        system.sigaltstack(ctypes.byref(stack), None)
