"""Activation checkpointing that updates batch norms once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def checkpoint_block(block: nn.Module, x: Tensor) -> Tensor:
    """Run a block, saving only its input; the backward pass computes its inside again.

    Unlike plain activation checkpointing, the recomputation does not update running statistics:
    mmdet's `with_cp` updates them twice a step.

    Args:
        block: A module of one input and one output.
        x: (N, C, H, W), the block's input.
    """

    def contexts() -> tuple[AbstractContextManager, AbstractContextManager]:
        return nullcontext(), frozen_statistics(block)

    return checkpoint(block, x, use_reentrant=False, context_fn=contexts)


@contextmanager
def frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Give batch norms in training copies of their running statistics, discarded at the end."""
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.training]
    kept = [dict(norm.named_buffers(recurse=False)) for norm in norms]
    for norm, buffers in zip(norms, kept, strict=True):
        for name, buffer in buffers.items():
            setattr(norm, name, buffer.clone())
    try:
        yield
    finally:
        for norm, buffers in zip(norms, kept, strict=True):
            for name, buffer in buffers.items():
                setattr(norm, name, buffer)
