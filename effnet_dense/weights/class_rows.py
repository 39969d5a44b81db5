"""Copy the rows of a detector's or segmentor's class layers by the names of the classes.

Rows are the first dimension of weights and biases: C classes, A·C for A anchors, 4·C for boxes of
each class, with one more for background behind those of the classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from effnet_dense.weights.detector_rows import COCO_IDS, COCO_USED, used_classes
from effnet_dense.weights.download import fetch
from effnet_dense.weights.load import state_dict_of, translated
from effnet_dense.weights.safe import safe_load
from effnet_dense.weights.sources import Source

CLASS_FIRST = 'fc_reg'
"""Layers whose rows are class by class; those of several anchors are anchor by anchor."""
MOST_OTHERS = 2
"""Largest number of rows of no class: background, and SeesawLoss's objectness."""


def class_rows(model: nn.Module, larger: nn.Module) -> dict[str, int]:
    """Find a model's class layers, by comparison with the same model for one class more.

    Returns:
        Key of the state dict → rows per class.
    """
    sizes = {key: tuple(value.shape) for key, value in larger.state_dict().items()}
    found = {}
    for key, value in model.state_dict().items():
        shape, other = tuple(value.shape), sizes.get(key, ())
        if len(shape) == len(other) > 0 and shape[1:] == other[1:] and shape[0] < other[0]:
            found[key] = other[0] - shape[0]
    return found


def copy_class_rows(
    model: nn.Module,
    source: Source,
    rows: Mapping[str, int],
    old: Sequence[str],
    new: Sequence[str],
) -> tuple[str, ...]:
    """Copy a source's rows of the classes that the model has, too.

    Args:
        model: Its class layers are changed: rows of other classes stay.
        source: Any source of `load_weights`.
        rows: See `class_rows`.
        old: The source's classes.
        new: The model's.

    Returns:
        The keys that got rows. Layers of another form, or absent from the source, stay.
    """
    tensors = translated(model, state_dict_of(safe_load(fetch(source)))).tensors
    own, copied = model.state_dict(), []
    for key, per_class in rows.items():
        given = tensors.get(key)
        if given is None:
            continue
        if len(given) == COCO_IDS * per_class and len(old) == len(COCO_USED):
            given = used_classes(given)
        fitted = fit_rows(given, own[key], per_class, old, new, CLASS_FIRST in key)
        if fitted is not None:
            own[key].copy_(fitted)
            copied.append(key)
    return tuple(copied)


def fit_rows(
    given: Tensor,
    own: Tensor,
    per_class: int,
    old: Sequence[str],
    new: Sequence[str],
    class_first: bool = False,
) -> Tensor | None:
    """Replace the rows of classes by those of the same name.

    Args:
        given: (rows, …) of the classes `old`.
        own: (rows, …) of the classes `new`.
        per_class: Rows of each class.
        old: Names.
        new: Names.
        class_first: Whether the rows of a class are adjacent.

    Returns:
        As `own`; None if the numbers of rows do not fit the classes.
    """
    others = len(own) - per_class * len(new)
    fits = len(given) == per_class * len(old) + others and given.shape[1:] == own.shape[1:]
    if not fits or not 0 <= others <= MOST_OTHERS or (others and per_class > 1):
        return None
    result = own.clone()
    kept = [name for name in new if name in old]
    index = {names: torch.arange(per_class * len(names)) for names in (tuple(old), tuple(new))}
    shape = (-1, per_class) if class_first else (per_class, -1)

    def of(names: Sequence[str]) -> Tensor:
        grid = index[tuple(names)].reshape(shape)
        by_class = grid if class_first else grid.T
        return by_class[[list(names).index(name) for name in kept]].flatten()

    if kept:
        result[of(new)] = given[of(old)].to(own)
    if others:
        result[-others:] = given[-others:].to(own)
    return result
