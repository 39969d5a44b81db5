"""The one way from the networks to what accelerates them: the argument `lean`.

Everything else in this room is a plain network. `effnet_dense.lean` is imported when a network is
built, not when this module is.
"""

from __future__ import annotations

from torch import nn


def apply_lean(network: nn.Module, level: int) -> None:
    """Apply `effnet_dense.lean.apply`: choose what training saves for the backward pass.

    Raises:
        ValueError: `level` is not a level of lean training.
    """
    from effnet_dense import lean

    lean.apply(network, level)
