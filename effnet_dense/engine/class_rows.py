"""Load a detector trained for other classes: what belongs to a class is matched by its name."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import nn

from effnet_dense.data.coco.label_order import classes_of
from effnet_dense.data.model_classes import model_for
from effnet_dense.engine.checkpoint_of_run import has_own_classes, saved_classes
from effnet_dense.engine.checks.classes import describe
from effnet_dense.utils.near_names import listed
from effnet_dense.utils.urls import public_name
from effnet_dense.weights import LoadReport, load_weights
from effnet_dense.weights.class_rows import class_rows, copy_class_rows


def load_by_class(runner: Any, model: nn.Module, source: str) -> LoadReport | None:
    """Load weights; class layers keep the rows of classes of the same name, others start anew.

    Args:
        runner: A training, whose data set is built.
        model: Its model, unwrapped.
        source: Any source of `load_weights`.

    Returns:
        None if the model has no classes of its own, or the source the same ones: load it as it is.

    Raises:
        ValueError: See `load_weights`.
    """
    new = classes_of(runner.train_dataloader.dataset)
    old, _ = saved_classes(source)
    if not new or new == old or not has_own_classes(runner.cfg):
        return None
    rows = class_rows(model, _larger(runner.cfg, new))
    if not rows:
        return None
    ignore = (*runner.cfg.get('load_from_ignore', ()), *rows)
    report = load_weights(model, source, ignore=ignore)
    with torch.no_grad():
        copied = copy_class_rows(model, source, rows, old, new)
    runner.logger.warning(message(source, old, new, tuple(rows), copied))
    return report


def message(
    source: str,
    old: Sequence[str],
    new: Sequence[str],
    rows: Sequence[str],
    copied: Sequence[str],
) -> str:
    """Describe which classes a training keeps and which begin anew."""
    name = public_name(source)
    heads = ', '.join(sorted({key.rpartition('.')[0] for key in rows}))
    if not old:
        return f'{name} does not name its classes: all of {describe(new)} begin anew in {heads}'
    kept = [label for label in new if label in old] if copied else []
    fresh = [label for label in new if label not in kept]
    parts = [f'{len(kept)} of {len(new)} classes keep their weights ({listed(kept)})'] * bool(kept)
    parts += [f'{len(fresh)} begin anew ({listed(fresh)})'] * bool(fresh)
    layers = sorted({key.rpartition('.')[0] for key in rows if key not in copied})
    parts += [f'{", ".join(layers)} begin anew for all classes'] * bool(kept and layers)
    return f'{name} was trained with {describe(old)}: in {heads}, {"; ".join(parts)}'


def _larger(config: Any, classes: Sequence[str]) -> nn.Module:
    """Build the model for one class more."""
    sized = copy.copy(config)
    return MODELS.build(model_for(sized, [*classes, 'one more']))
