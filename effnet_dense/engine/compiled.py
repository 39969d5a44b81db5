"""Compile those parts of a model that torch.compile captures as one graph each."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from effnet_dense.deployment.deploy import tensor_parts


def compile_parts(model: nn.Module, **options: Any) -> list[str]:
    """Compile backbone, neck and dense heads in place, unless they already are.

    mmengine compiles the entire training step instead, in which every assigner, every loss and
    the optimizer break the graph, and the optimizer breaks torch's compiler as well (2.14).

    Args:
        model: A detector or segmentor, or another module, which is compiled as one part.
        options: Arguments of `torch.compile`.

    Returns:
        The names of the parts.
    """
    parts = tensor_parts(model)
    for part in parts.values():
        if 'forward' not in vars(part):
            part.forward = torch.compile(part.forward, **options)
    return list(parts)
