"""Scale the epochs at which heads change how they learn with the length of a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from effnet_dense.engine.settings.length import LengthChange
from effnet_dense.engine.settings.notes import refusal


def scale_heads(config: Config, change: LengthChange) -> None:
    """Scale `train_cfg.initial_epoch` of TOOD, before which it assigns objects as ATSS does.

    A training of one epoch assigns by alignment throughout.

    Args:
        config: Changed in place.
        change: The training's old and new length.

    Raises:
        ValueError: Such a training shall count iterations: the head would never change.
    """
    model: Any = config.get('model') or {}
    for owner in (model, model.get('detector') or {}):
        train: Any = owner.get('train_cfg')
        first = train.get('initial_epoch') if isinstance(train, Mapping) else None
        if not isinstance(first, int) or first < 1:
            continue
        if change.converts and change.new.unit == 'iteration':
            raise refusal(
                change.flag,
                f'model.train_cfg.initial_epoch={first}, from which objects are assigned by '
                'alignment, is an epoch, which a training by iterations does not have',
                'write --epochs',
            )
        if not change.converts:
            scaled = int(first * change.ratio + 0.5)
            train['initial_epoch'] = min(max(scaled, 1), change.new.count - 1)
