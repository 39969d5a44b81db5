"""Configure the C library's allocator so that it does not decide a comparison."""

from __future__ import annotations

import ctypes

# Parameters of mallopt, from glibc's malloc.h.
TRIM_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -4, -8
NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let glibc keep freed memory in the process instead of returning it to the kernel.

    By default a feature map above 32 MiB gets new pages from the kernel each time it is
    allocated; whether a smaller one does depends on what happens to lie next to it on the heap.
    That can take a third of an inference pass, for one network and not for the next.

    Returns:
        False if the C library is not glibc.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    options = ((ARENA_MAX, 1), (MMAP_MAX, 0), (TRIM_THRESHOLD, NEVER))
    return all([mallopt(option, value) for option, value in options])
