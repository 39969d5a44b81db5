"""Compile those parts of a model that torch.compile captures as one graph each."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from effnet_dense.deployment.deploy import tensor_parts
from effnet_dense.engine.memory_budget import lean_level, within_budget


def compile_parts(model: nn.Module, **options: Any) -> list[str]:
    """Compile backbone, neck and dense heads in place, unless they already are.

    mmengine compiles the entire training step instead, in which every assigner, every loss and
    the optimizer break the graph, and the optimizer breaks torch's compiler as well (2.14).
    A part in lean training saves as little, see `memory_budget`.

    Args:
        model: A detector or segmentor, or another module, which is compiled as one part.
        options: Arguments of `torch.compile`.

    Returns:
        The names of the parts.
    """
    parts = tensor_parts(model)
    for part in parts.values():
        if 'forward' not in vars(part):
            compiled = torch.compile(part.forward, **options)
            part.forward = within_budget(compiled, lean_level(part))
    return list(parts)
