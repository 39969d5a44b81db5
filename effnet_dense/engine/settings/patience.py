"""`--patience N`: stop the training when the validation has not improved for a while."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from effnet_dense.data.config_walk import type_name
from effnet_dense.engine.settings.notes import note, refusal
from effnet_dense.utils.counted import counted

HOOK = 'effnet_dense.PatienceHook'
EARLY_STOPPING = ('EarlyStoppingHook', 'PatienceHook')


def set_patience(config: Config, patience: int) -> None:
    """Stop after a number of validations without a better result.

    The result is that of the best checkpoint: `save_best` of the config's CheckpointHook, or else
    what `PatienceHook` follows by itself. It replaces hooks of the config that stop early.
    Checkpoints are written at least as often as it is validated, so that the last state is kept.

    Args:
        config: Changed in place.
        patience: Number of validations.

    Raises:
        ValueError: The training is not validated.
    """
    flag = f'--patience {patience}'
    missing = [key for key in ('val_cfg', 'val_dataloader', 'val_evaluator') if not config.get(key)]
    loop = config.get('train_cfg') or {}
    length = loop.get('max_epochs') or loop.get('max_iters') or 0
    if missing or loop.get('val_begin', 1) > length:
        reason = (
            f'lacks {", ".join(missing)}' if missing else 'has train_cfg.val_begin after its end'
        )
        raise refusal(flag, f'the training is not validated, it {reason}', 'leave it out')
    hooks = [
        hook for hook in config.get('custom_hooks') or [] if type_name(hook) not in EARLY_STOPPING
    ]
    stop = dict(type=HOOK, patience=patience)
    checkpoint: Any = (config.get('default_hooks') or {}).get('checkpoint') or {}
    followed = checkpoint.get('save_best')
    names = [followed] if isinstance(followed, str) else list(followed or [])
    if names and names[0] != 'auto':
        stop.update(monitor=names[0], rule=checkpoint.get('rule'))
    config.custom_hooks = [*hooks, stop]
    interval = loop.get('val_interval', 1)
    same_unit = checkpoint.get('by_epoch', True) == ('max_epochs' in loop)
    if same_unit and checkpoint.get('interval', -1) > interval:
        checkpoint.interval = interval
    note(f'{flag}: training stops after {counted(patience, "validation")} without a better result')
    count = _validations(loop, length)
    if count <= patience and not loop.get('dynamic_intervals'):
        print_log(
            f'{flag} changes nothing: it needs {counted(patience + 1, "validation")}, '
            f'the training has {count}',
            logger='current',
            level=logging.WARNING,
        )


def _validations(loop: Mapping[str, Any], length: int) -> int:
    """Return how many validations a training has: one per interval, and at the end."""
    begin, interval = loop.get('val_begin', 1), loop.get('val_interval', 1)
    count = length // interval - (begin - 1) // interval
    return count + bool(length % interval)
