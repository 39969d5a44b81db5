"""Compare an option's value (`--cfg-options`) with what it replaces: a number stays a number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Last parts of keys whose values may change their kind, or are checked elsewhere.
NUMBER_OR_NAME = {
    'loss_scale',
    'max_norm',
    'padding',
    'save_best',
    'save_last',
    'sync_bn',
    'window_size',
}
DICTIONARY_OR_NAME = {'arch', 'batch_sampler', 'compile', 'init_cfg', 'metric', 'type'}


def check_kind(config: Mapping[str, Any], key: str, value: Any) -> None:
    """Check that an option has the kind of the value that it replaces.

    Args:
        config: Before the option is applied.
        key: The option's dotted key.
        value: Its value; None is allowed everywhere.

    Raises:
        ValueError: A text in place of a number, or anything but a dictionary in place of one.
    """
    before = value_at(config, key)
    expected = _expected(before, value, key.rpartition('.')[2])
    if expected:
        raise ValueError(
            f'{key.split(".")[0]} cannot be built: --cfg-options {key} expects {expected}, as in '
            f'the config ({_shown(before)}), got {value!r}'
        )


def value_at(config: Any, key: str) -> Any:
    """Return the value of a dotted key; None if there is none."""
    node = config
    for part in key.split('.'):
        if isinstance(node, list | tuple) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, Mapping) or hasattr(node, '_cfg_dict'):
            node = node.get(part)
        else:
            return None
    return node


def _expected(before: Any, value: Any, name: str) -> str:
    """Describe the kind of value that is expected; '' if the given one is of it."""
    if value is None:
        return ''
    if isinstance(before, int | float) and name not in NUMBER_OR_NAME:
        truth = isinstance(before, bool)
        if isinstance(value, str) or (
            isinstance(value, Mapping) and name not in DICTIONARY_OR_NAME
        ):
            return 'True or False' if truth else 'a number'
    if isinstance(before, Mapping) and not isinstance(value, Mapping | list | tuple):
        return '' if name in DICTIONARY_OR_NAME else 'entries (KEY.ENTRY=VALUE) or None'
    if isinstance(before, list | tuple) and before:
        if isinstance(before[0], Mapping) and not isinstance(value, Mapping | list | tuple):
            return 'a list of entries (KEY.0.ENTRY=VALUE) or None'
        numbers = all(isinstance(item, int | float) for item in before)
        values = value if isinstance(value, list | tuple) else [value]
        if numbers and any(isinstance(item, str) for item in values):
            return 'numbers'
    return ''


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return f'with {", ".join(map(str, list(value)[:4]))}'
    return repr(value) if len(repr(value)) < 60 else f'{repr(value)[:60]}…'
