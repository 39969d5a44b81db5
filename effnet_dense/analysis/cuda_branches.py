"""Take the branches of CUDA on tensors of another device.

Where operators of this package are for CPUs, or for CUDA, networks ask functions by which they
choose. Here those of CPUs answer no, and those of CUDA yes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

FOR_CPUS = (
    'effnet_dense.ops.fused_norm.supports',
    'effnet_dense.lean.chain.can_join',
    'effnet_dense.lean.layers.can_join',
    'effnet_dense.ops.depthwise._is_fast',
)
"""Functions that choose an operator for CPUs, where they are called."""
FOR_GPUS = 'effnet_dense.models.small_levels.is_on_gpu'
"""The function by which a head chooses to run small levels at once."""
TRITON = 'effnet_dense.ops.triton_norm'


@contextmanager
def cuda_branches(triton: str | None = None) -> Iterator[None]:
    """Run networks as on CUDA.

    Args:
        triton: Type of the device on which Triton's operators are called as well: they have no
            values there, so that tensors should be fake ones.
    """
    with ExitStack() as stack:
        for name in FOR_CPUS:
            stack.enter_context(patch(name, lambda *_: False))
        stack.enter_context(patch(FOR_GPUS, lambda *_: True))
        if triton is not None:
            stack.enter_context(patch(f'{TRITON}.DEVICES', (triton,)))
            stack.enter_context(patch(f'{TRITON}.is_available', lambda *_: True))
        yield
