"""What is saved for the backward pass and what is computed again in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def checkpointed(block: nn.Module, x: Tensor) -> Tensor:
    """Run a block keeping its input alone; its inside is computed again in the backward pass.

    Unlike plain activation checkpointing, the second pass leaves BN's running statistics alone:
    mmdet's `with_cp` updates them twice a step.

    Args:
        x: (N, C, H, W), the block's input.
    """

    def contexts() -> tuple[AbstractContextManager, AbstractContextManager]:
        return nullcontext(), statistics_untouched(block)

    return checkpoint(block, x, use_reentrant=False, context_fn=contexts)


@contextmanager
def statistics_untouched(module: nn.Module) -> Iterator[None]:
    """Let batch norms in training update copies of their running statistics, then drop those."""
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
