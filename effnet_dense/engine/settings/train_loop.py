"""Set the length of a training in its loop, log and sampler; epochs become iterations or back."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config

from effnet_dense.data.config_walk import type_name
from effnet_dense.engine.resume.config_changes import loop_kind
from effnet_dense.engine.settings.length import LOOPS, Length, LengthChange, plural, training_length
from effnet_dense.engine.settings.length_heads import scale_heads
from effnet_dense.engine.settings.length_hooks import scale_hooks
from effnet_dense.engine.settings.notes import UNCHANGED, note, refusal
from effnet_dense.engine.settings.schedules import scale_schedules
from effnet_dense.engine.settings.training_images import count_training_images

ENDLESS = ('InfiniteSampler', 'MultiSourceSampler', 'GroupMultiSourceSampler')
"""Samplers without an end, after which an epoch by them would never finish."""


def set_length(config: Config, flag: str, new: Length) -> None:
    """Change the length of a training in all places: loop, schedules, hooks, log, sampler.

    Args:
        config: Changed in place.
        flag: As in '--epochs 5'.
        new: The length.

    Raises:
        ValueError: The config cannot be trained for such a length.
    """
    change = LengthChange(flag, training_length(config, flag), new)
    dropped = scale_schedules(config, change)
    unchanged = scale_hooks(config, change)
    scale_heads(config, change)
    if change.converts:
        _convert(config, change)
    _set_loop(config, change)
    _tell(config, change, dropped, unchanged)


def _set_loop(config: Config, change: LengthChange) -> None:
    loop, new = config.train_cfg, change.new
    old_key = LOOPS[loop_kind(loop)][1]
    kind = next(name for name, (unit, _) in LOOPS.items() if unit == new.unit)
    never = loop.get('val_begin', 1) > change.old.count  # the config never validates
    loop.pop(old_key)
    if change.converts:
        loop.type = kind
        loop.pop('by_epoch', None)
    loop[LOOPS[kind][1]] = new.count
    loop.val_interval = change.interval(loop.get('val_interval', _default_interval(change)))
    if 'val_begin' in loop:
        loop.val_begin = new.count + 1 if never else min(_begin(loop.val_begin, change), new.count)
    if loop.get('dynamic_intervals'):
        loop.dynamic_intervals = [
            (_begin(start, change), change.interval(interval))
            for start, interval in loop.dynamic_intervals
        ]


def _begin(value: int, change: LengthChange) -> int:
    return max(round(value * change.ratio), 1)


def _default_interval(change: LengthChange) -> int:
    """Return mmengine's default of `val_interval`."""
    return 1 if change.old.unit == 'epoch' else 1000


def _convert(config: Config, change: LengthChange) -> None:
    by_epoch = change.new.unit == 'epoch'
    processor = config.get('log_processor') or dict(type='LogProcessor', window_size=50)
    config.log_processor = {**processor, 'by_epoch': by_epoch}
    if by_epoch:
        _use_finite_sampler(config, change)


def _use_finite_sampler(config: Config, change: LengthChange) -> None:
    """Read each image once per epoch where the sampler has no end.

    Batches stay full, as they were, if there are enough images for one.
    """
    loader: Any = config.get('train_dataloader') or {}
    sampler = loader.get('sampler')
    if not sampler or type_name(sampler) not in ENDLESS:
        return
    if type_name(sampler) != 'InfiniteSampler':
        raise refusal(
            change.flag,
            f'train_dataloader.sampler, {type_name(sampler)}, mixes sources without an end, so '
            'that there are no epochs',
            'write --iterations',
        )
    finite: dict[str, Any] = dict(type='DefaultSampler', shuffle=sampler.get('shuffle', True))
    loader.sampler = finite | ({'seed': sampler.seed} if 'seed' in sampler else {})
    images, size = count_training_images(config), loader.get('batch_size', 1)
    if images is None or images >= size:
        batches = loader.get('batch_sampler') or loader
        batches['drop_last'] = True


def _tell(config: Config, change: LengthChange, dropped: list[str], unchanged: list[str]) -> None:
    loop, new = config.train_cfg, change.new
    old = str(change.old) if change.converts else f'{change.old.count:,}'
    line = f'{change.flag}: {new} in place of {old}; schedules and hooks scale with it'
    if new == change.old:
        line = f'{change.flag}: {UNCHANGED}'
    if config.get('val_dataloader') and config.get('val_cfg'):
        every = new.unit if loop.val_interval == 1 else plural(loop.val_interval, new.unit)
        end = '' if loop.val_interval == 1 else ', and at the end'
        line += f'; validation after every {every}{end}'
    note(line)
    for name in dropped:
        note(f'{change.flag}: the training is too short for {name}, which is left out')
    for text in unchanged:
        note(f'{change.flag}: {text}')
