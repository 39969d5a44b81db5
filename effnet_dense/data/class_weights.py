"""Weights of classes in a loss, for another number of classes."""

from __future__ import annotations

from collections.abc import Sequence


def weights_for(
    weights: Sequence[float], before: int | None, num_classes: int
) -> list[float] | None:
    """Return a loss's weights for other classes, None if they belong to the former ones.

    Mask classification (MaskFormer, Mask2Former) has one more, for "no object", which stays.

    Args:
        weights: Those of the config.
        before: Its number of classes; None: unknown.
        num_classes: The new number.
    """
    if before is not None and len(weights) == before + 1:
        first = weights[0] if len(set(weights[:-1])) == 1 else 1.0
        return [first] * num_classes + list(weights[-1:])
    return list(weights) if len(weights) == num_classes else None
