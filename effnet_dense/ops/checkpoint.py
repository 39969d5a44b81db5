"""Activation checkpointing that updates running statistics once per step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

_running = ContextVar('_running', default=False)
# The hooks that autograd calls for what it saves; PyTorch 2.6 does not tell them.
_saving_hooks: Any = getattr(torch._C._autograd, '_top_saved_tensors_default_hooks', lambda _: None)


def is_checkpointing() -> bool:
    """Whether activation checkpointing runs, which saves inputs only: this file's or PyTorch's.

    PyTorch 2.6 does not tell its own.
    """
    hooks = _saving_hooks(True)
    return _running.get() or (hooks is not None and hooks[0].__module__ == checkpoint.__module__)


def checkpoint_block(block: nn.Module, x: Tensor) -> Tensor:
    """Run a block, saving only its input; the backward pass recomputes the rest.

    Unlike in plain activation checkpointing (mmdet's `with_cp`), the recomputation does not update
    running statistics a second time.

    Args:
        block: A module with one input and one output.
        x: (N, C, H, W), the block's input.

    Returns:
        The block's output.
    """

    def contexts() -> tuple[AbstractContextManager, AbstractContextManager]:
        return _checkpointing(), frozen_statistics(block)

    return checkpoint(block, x, use_reentrant=False, context_fn=contexts)


@contextmanager
def _checkpointing() -> Iterator[None]:
    token = _running.set(True)
    try:
        yield
    finally:
        _running.reset(token)


@contextmanager
def frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Let batch norms in training mode update temporary copies of their running statistics."""
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.training]
    kept = [dict(norm.named_buffers(recurse=False)) for norm in norms]
    for norm, buffers in zip(norms, kept, strict=True):
        for name, buffer in buffers.items():
            setattr(norm, name, buffer.clone())
    try:
        with _checkpointing():
            yield
    finally:
        for norm, buffers in zip(norms, kept, strict=True):
            for name, buffer in buffers.items():
                setattr(norm, name, buffer)
