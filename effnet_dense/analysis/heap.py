"""The process's heap, set so that it does not decide a comparison."""

from __future__ import annotations

import ctypes

# Of glibc's malloc.h.
TRIM_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -4, -8
NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let freed memory stay with the process, where the C library is glibc.

    As it is, a feature above 32 MiB gets new pages from the kernel each time it is made, and a
    smaller one does or does not, by what happens to lie behind it in the heap: a third of an
    inference pass, for one network and not for its neighbour.

    Returns:
        Whether it could be done.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    options = ((ARENA_MAX, 1), (MMAP_MAX, 0), (TRIM_THRESHOLD, NEVER))
    return all([mallopt(option, value) for option, value in options])
