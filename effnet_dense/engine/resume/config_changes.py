"""Compare the config that a checkpoint was trained with to that of the run that resumes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from effnet_dense.engine.resume.values import short

Verdict = Literal['taken', 'ignored', 'refused']
MISSING = object()
# Parts of a config that a training reads. The optimizer and the schedules are left out: what a
# checkpoint replaces of them is found in its states.
READ = (
    *('model', 'train_cfg', 'train_dataloader', 'val_cfg', 'val_dataloader', 'val_evaluator'),
    *('optim_wrapper', 'auto_scale_lr', 'randomness', 'default_hooks', 'custom_hooks'),
    *('env_cfg', 'data_preprocessor', 'activation_checkpointing', 'channels_last', 'compile'),
    *('cuda_graphs', 'reduced_decoding'),
    *('efficient_conv_bn_eval', 'find_unused_parameters', 'model_wrapper_cfg', 'sync_bn'),
)
_IN_STATES = re.compile(
    r'optim_wrapper\.(\w+\.)?(optimizer\.(?!type$)|paramwise_cfg|constructor)'
    r'|(train|val)_dataloader\..*metainfo\.classes'
)
_INITIAL = re.compile(r'model\.(.+\.)?(init_cfg|pretrained)(\.|$)')
# Arguments of models that change how a network is trained or its results are selected, not what it
# computes from its weights.
_NOT_ARCHITECTURE = re.compile(
    r'\.(train_cfg|test_cfg|data_preprocessor|\w*loss\w*|drop\w*|\w*dropout\w*|norm_eval|'
    r'frozen_stages|with_cp|lean|momentum|requires_grad|\w*sampler|assigner|\w*label_smooth\w*|'
    r'ignore_index|reg_decoded_bbox|class_weight)(\.|$)'
)
_OPTIMIZER_TYPE = re.compile(r'optim_wrapper\.(\w+\.)?optimizer\.type$')
BATCH_NORMS = ('BN', 'SyncBN')


@dataclass(frozen=True)
class Change:
    """A value of a config that differs.

    Attributes:
        key: Its dotted key.
        old: The checkpoint's value; `MISSING` if it has none.
        new: This run's.
        verdict: Whether the resumed run takes this run's value, ignores it, or cannot resume.
    """

    key: str
    old: Any
    new: Any
    verdict: Verdict

    def __str__(self) -> str:
        return f'{self.key}: {_shown(self.new)} here, {_shown(self.old)} in the checkpoint'


def config_changes(
    saved: Mapping[str, Any], current: Mapping[str, Any], seed: int | None = None
) -> list[Change]:
    """List what differs between two configs, with what resuming makes of it.

    Args:
        saved: The checkpoint's config, from `saved_config`.
        current: This run's, from `plain`.
        seed: The seed that the checkpoint was trained with, also where its config has none.
    """
    old = {key: value for key, value in saved.items() if key in READ}
    new = {key: value for key, value in current.items() if key in READ}
    for config in (old, new):
        given = config.get('randomness')
        config['randomness'] = dict(given) if isinstance(given, Mapping) else {}
    if new['randomness'].get('seed') is None:  # the checkpoint's is used
        new['randomness']['seed'] = seed
    old['randomness']['seed'] = seed
    kinds = loop_kind(saved.get('train_cfg')), loop_kind(current.get('train_cfg'))
    changes = [
        Change(key, before, after, _verdict(key, before, after))
        for key, before, after in _differences(old, new)
        if not _IN_STATES.match(key) and not _both_empty(before, after)
    ]
    if kinds[0] != kinds[1]:
        changes.insert(0, Change('train_cfg.type', *kinds, 'refused'))
    return changes


def loop_kind(train_cfg: Any) -> str:
    """Return the name of a training loop, without its package."""
    loop = train_cfg if isinstance(train_cfg, Mapping) else {}
    default = 'EpochBasedTrainLoop' if loop.get('by_epoch') else 'IterBasedTrainLoop'
    return str(loop.get('type') or default).rpartition('.')[2]


def _verdict(key: str, old: Any, new: Any) -> Verdict:
    if _INITIAL.match(key) or re.match(r'auto_scale_lr\b|randomness\.seed$', key):
        return 'ignored'
    if _OPTIMIZER_TYPE.match(key):
        return 'refused'
    if not key.startswith('model.') or _NOT_ARCHITECTURE.search(key):
        return 'taken'
    return 'taken' if old in BATCH_NORMS and new in BATCH_NORMS else 'refused'


def _both_empty(old: Any, new: Any) -> bool:
    """Whether both stand for nothing: a key that is missing, None or an empty part."""
    return all(value is MISSING or value in (None, [], {}) for value in (old, new))


def _differences(old: Any, new: Any, key: str = '') -> Iterator[tuple[str, Any, Any]]:
    """Yield the keys at which two configs differ; lists of equal length are compared by entry."""
    prefix = f'{key}.' if key else ''
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*new, *(name for name in old if name not in new)]:
            if f'{prefix}{name}' in ('train_cfg.type', 'train_cfg.by_epoch'):
                continue
            before, after = old.get(name, MISSING), new.get(name, MISSING)
            yield from _differences(before, after, f'{prefix}{name}')
    elif _by_entry(old, new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differences(before, after, f'{prefix}{index}')
    elif old is MISSING or new is MISSING or old != new:
        yield key, old, new


def _by_entry(old: Any, new: Any) -> bool:
    lists = isinstance(old, list) and isinstance(new, list) and len(old) == len(new)
    return lists and any(isinstance(entry, Mapping | list) for entry in (*old, *new))


def _shown(value: Any) -> str:
    """Return a value's text; of a part of a config, its type."""
    if value is MISSING:
        return 'nothing'
    if isinstance(value, Mapping) and isinstance(value.get('type'), str):
        more = ', …' if len(value) > 1 else ''
        return f'dict(type={value["type"]!r}{more})'
    if isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value):
        return f'[{", ".join(str(entry.get("type", "…")) for entry in value)}]'
    return short(value)
