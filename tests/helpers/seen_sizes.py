"""Record the sizes of the tensors that a backbone gets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from effnet_dense.models import EfficientNet

Sizes = set[tuple[int, int]]


@contextmanager
def seen_sizes() -> Iterator[dict[str, Sizes]]:
    """Yield the (width, height) that every EfficientNet gets, in 'train' and 'eval' mode."""
    seen: dict[str, Sizes] = {'train': set(), 'eval': set()}

    def record(module: nn.Module, inputs: Any) -> None:
        if isinstance(module, EfficientNet):
            height, width = inputs[0].shape[-2:]
            seen['train' if module.training else 'eval'].add((width, height))

    handle = register_module_forward_pre_hook(record)
    try:
        yield seen
    finally:
        handle.remove()
