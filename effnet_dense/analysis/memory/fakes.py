"""A model whose tensors have no memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


def replace_tensors(model: nn.Module, fake: Callable[[Tensor], Tensor]) -> None:
    """Put a stand-in in the place of each parameter and buffer; what is shared stays shared.

    Tensors that are neither, such as a head's anchors, stay as they are.

    Args:
        model: Is changed.
        fake: A tensor → its stand-in.
    """
    made: dict[int, Tensor] = {}

    def replacement(tensor: Tensor) -> Tensor:
        if id(tensor) not in made:
            likeness = fake(tensor.detach())
            if isinstance(tensor, nn.Parameter):
                likeness = nn.Parameter(likeness, tensor.requires_grad)
            made[id(tensor)] = likeness
        return made[id(tensor)]

    originals = [*model.parameters(), *model.buffers()]  # alive, so that each id stays its own
    for module in model.modules():
        own: tuple[Any, ...] = (module._parameters, module._buffers)
        for tensors in own:
            for name, tensor in tensors.items():
                if tensor is not None:
                    tensors[name] = replacement(tensor)
    del originals
