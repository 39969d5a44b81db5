"""How much a compiled part saves for the backward pass, by the level of lean training.

torch.compile replaces lean training, which is without effect inside of it: its partitioner chooses
what the backward pass computes again, so that what is saved fits into a share of what it would save
by default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch._functorch.config as functorch
from torch import nn

SHARES = {1: 0.5, 2: 0.25}
"""Level → share. EfficientNet-B0's C3–C5 save 136 and 70 MiB an image at 512², and 144 and 77 with
lean training without torch.compile; by default 270."""


def lean_level(part: nn.Module) -> int:
    """Return the highest level of lean training in a part; 0 if it has none."""
    levels = [getattr(module, 'lean', 0) for module in part.modules()]
    return max(level for level in levels if isinstance(level, int))


def within_budget(compiled: Callable[..., Any], level: int) -> Callable[..., Any]:
    """Let a compiled function save what a level of lean training allows.

    torch reads the setting when it compiles, at the first call with new shapes, and has it for the
    entire process only; so it is set during the calls. At level 0 it stays as it is.

    Args:
        compiled: What torch.compile returned.
        level: One of the levels of lean training.
    """
    if level not in SHARES:
        return compiled

    def run(*args: Any, **kwargs: Any) -> Any:
        with functorch.patch(activation_memory_budget=SHARES[level]):
            return compiled(*args, **kwargs)

    return run
