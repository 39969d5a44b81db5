"""Replace a model's tensors by fake ones, which have no memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


def replace_tensors(model: nn.Module, make_fake: Callable[[Tensor], Tensor]) -> None:
    """Replace each parameter and buffer in place; shared ones stay shared.

    Tensors that are neither, such as a head's anchors, stay unchanged.

    Args:
        model: Changed in place.
        make_fake: A tensor → its replacement.
    """
    replacements: dict[int, Tensor] = {}

    def replacement(tensor: Tensor) -> Tensor:
        if id(tensor) not in replacements:
            fake = make_fake(tensor.detach())
            if isinstance(tensor, nn.Parameter):
                fake = nn.Parameter(fake, tensor.requires_grad)
            replacements[id(tensor)] = fake
        return replacements[id(tensor)]

    originals = [*model.parameters(), *model.buffers()]  # kept alive, so that no id is reused
    for module in model.modules():
        registered: tuple[Any, ...] = (module._parameters, module._buffers)
        for tensors in registered:
            for name, tensor in tensors.items():
                if tensor is not None:
                    tensors[name] = replacement(tensor)
    del originals
