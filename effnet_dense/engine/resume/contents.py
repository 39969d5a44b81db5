"""Check that a training state is complete and of known forms, before anything is changed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import fields
from numbers import Number
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

from effnet_dense.engine.resume.progress import Position
from effnet_dense.engine.resume.values import check_count, short
from effnet_dense.utils.saved_config import saved_config

HUB = ('log_scalars', 'runtime_info', 'resumed_keys')
# What mmengine's hooks read from `runtime_info` → its form.
RUNTIME: dict[str, tuple[type, ...]] = {
    'best_ckpt': (str,),
    'best_score': (Number,),
    'keep_ckpt_ids': (list,),
    'last_ckpt': (str,),
}
PROGRESS = ('position', 'random', 'gradients')
COUNTED = 'optimizer_states'
GENERATORS = ('python', 'numpy', 'torch')


def check_contents(checkpoint: Mapping[str, Any]) -> None:
    """Check the parts of a training state, which have the right names already.

    Raises:
        ValueError: A part is missing, has another form, or fields of a newer version; what was
            expected and what is there.
    """
    meta = checkpoint['meta']
    for name in ('epoch', 'iter'):
        check_count(f"meta['{name}']", meta.get(name))
    if meta.get('seed') is not None:
        check_count("meta['seed']", meta['seed'])
    _check_hub(checkpoint['message_hub'])
    _check_schedules(checkpoint.get('param_schedulers', []))
    if meta.get('progress') is not None:
        _check_progress(meta['progress'])
        _check_number_of_states(checkpoint['optimizer'], meta['progress'].get(COUNTED))
    saved_config(checkpoint)


def _check_hub(hub: Mapping[str, Any]) -> None:
    for name in HUB:
        if not isinstance(hub.get(name), Mapping):
            raise ValueError(
                f'expected message_hub[{name!r}] to be a dictionary, got {short(hub.get(name))}'
            )
    for name, buffer in hub['log_scalars'].items():
        if not isinstance(buffer, HistoryBuffer) or not _is_complete(buffer):
            raise ValueError(
                f"expected message_hub['log_scalars'][{name!r}] to be a HistoryBuffer with as many "
                f'counts as values, got {short(buffer)}'
            )
    for name, kinds in RUNTIME.items():
        value = hub['runtime_info'].get(name)
        if value is not None and not isinstance(value, kinds):
            raise ValueError(
                f"expected message_hub['runtime_info'][{name!r}] to be of type "
                f'{kinds[0].__name__}, got {short(value)}'
            )
    for step in hub['runtime_info'].get('keep_ckpt_ids') or ():
        check_count("each of message_hub['runtime_info']['keep_ckpt_ids']", step)


def _is_complete(buffer: HistoryBuffer) -> bool:
    values, counts = (vars(buffer).get(name) for name in ('_log_history', '_count_history'))
    arrays = isinstance(values, np.ndarray) and isinstance(counts, np.ndarray)
    return arrays and len(values) == len(counts)


def _check_schedules(states: Any) -> None:
    """Check one optimizer's list of states, or the lists of several by name."""
    groups = states.values() if isinstance(states, Mapping) else [states]
    for group in groups:
        if not isinstance(group, list) or not all(isinstance(state, Mapping) for state in group):
            raise ValueError(
                'expected param_schedulers to be a list of dictionaries, one for each schedule, '
                f'got {short(states)}'
            )


def _check_progress(progress: Any) -> None:
    _check_names("meta['progress']", progress, PROGRESS, (COUNTED,))
    position, known = progress['position'], [field.name for field in fields(Position)]
    _check_names("meta['progress']['position']", position, ('epoch', 'batch'), known)
    for name in ('epoch', 'batch', 'images'):
        check_count(f"meta['progress']['position'][{name!r}]", position.get(name, 0))
    if not isinstance(position.get('validated', True), bool):
        raise ValueError(
            "expected meta['progress']['position']['validated'] to be true or false, got "
            f'{short(position["validated"])}'
        )
    if not isinstance(progress['random'], list):
        raise ValueError(
            "expected meta['progress']['random'] to be a list of states, one for each process, got "
            f'{short(progress["random"])}'
        )
    for state in progress['random']:
        _check_random_state(state)
    gradients = progress['gradients']
    if not isinstance(gradients, Mapping) or not all(
        isinstance(gradient, Tensor) for gradient in gradients.values()
    ):
        raise ValueError(
            f"expected meta['progress']['gradients'] to hold tensors, got {short(gradients)}"
        )
    check_count(f"meta['progress'][{COUNTED!r}]", progress.get(COUNTED, 0))


def count_states(optimizer: Mapping[str, Any]) -> int:
    """Return the number of parameters with a state in one optimizer's state, or in several's."""
    parts = [optimizer] if 'state' in optimizer else optimizer.values()
    states = [part.get('state') for part in parts if isinstance(part, Mapping)]
    return sum(len(state) for state in states if isinstance(state, Mapping))


def _check_number_of_states(optimizer: Mapping[str, Any], expected: int | None) -> None:
    if expected is not None and count_states(optimizer) != expected:
        raise ValueError(
            f'expected optimizer states of {expected} parameters, got {count_states(optimizer)}'
        )


def _check_names(name: str, given: Any, required: Any, optional: Any) -> None:
    if not isinstance(given, Mapping) or set(required) - set(given):
        raise ValueError(
            f'expected {name} to have {", ".join(required)}, got '
            f'{sorted(map(str, given)) if isinstance(given, Mapping) else short(given)}'
        )
    unknown = sorted(map(str, set(given) - {*required, *optional}))
    if unknown:
        raise ValueError(
            f'{name} has fields of a newer version, expected {", ".join(required)}, got also '
            f'{", ".join(unknown)}'
        )


def _check_random_state(state: Any) -> None:
    """Restore a state into generators of its own."""
    name = "each state in meta['progress']['random']"
    _check_names(name, state, GENERATORS, ('cuda',))
    try:
        version, words, gauss = state['python']
        random.Random().setstate((version, tuple(words), gauss))
        kind, keys, *rest = state['numpy']
        np.random.RandomState().set_state((kind, np.array(keys, dtype=np.uint32), *rest))
        torch.Generator().set_state(state['torch'])
    except (ValueError, TypeError, LookupError, RuntimeError, OverflowError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f'expected {name} to be one that Python, numpy and torch can restore, got: {reason}'
        ) from None
    if not isinstance(state.get('cuda', state['torch']), Tensor):
        raise ValueError(f"expected 'cuda' in {name} to be a tensor, got {short(state['cuda'])}")
