"""torch.compile for what it can make one graph of: a model's parts of tensors alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from effnet_dense.deployment.deploy import tensor_parts


def compile_parts(model: nn.Module, **options: Any) -> list[str]:
    """Compile backbone, neck and dense heads in place, those that are not yet.

    mmengine compiles the whole training step, in which every assigner, every loss and the
    optimizer break the graph, and the last breaks torch's compiler as well (2.14).

    Args:
        model: A detector or segmentor, or a module that is compiled as a whole.
        options: Of `torch.compile`.

    Returns:
        The parts' names.
    """
    parts = tensor_parts(model)
    for part in parts.values():
        if 'forward' not in vars(part):
            part.forward = torch.compile(part.forward, **options)
    return list(parts)
