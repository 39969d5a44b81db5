"""Pass the networks' argument `lean` to `effnet_dense.lean`.

This is the only link from `models` to acceleration; everything else here is a plain network.
`effnet_dense.lean` imports `models`, so it is imported when a network is built.
"""

from __future__ import annotations

from torch import nn


def apply_lean(network: nn.Module, level: int) -> None:
    """Choose what training saves for the backward pass, with `effnet_dense.lean.apply`.

    Raises:
        ValueError: `level` is not a level of lean training.
    """
    from effnet_dense import lean

    lean.apply(network, level)
