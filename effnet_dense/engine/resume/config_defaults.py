"""Find keys of a model's config that name an argument's default, as if they were not there."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from mmengine.registry import MODELS, TASK_UTILS

from effnet_dense.engine.checks.config_parts import find_class
from effnet_dense.engine.resume.config_changes import MISSING, Change
from effnet_dense.utils.saved_config import plain


def is_default(
    change: Change, saved: Mapping[str, Any], current: Mapping[str, Any], scope: str
) -> bool:
    """Whether one of two configs names an argument of a model, and its value is the default.

    Args:
        change: A change between the two configs.
        saved: The checkpoint's config.
        current: This run's.
        scope: The scope of types without one, such as 'mmdet'.
    """
    if (change.old is MISSING) == (change.new is MISSING) or not change.key.startswith('model.'):
        return False
    config, value = (current, change.new) if change.old is MISSING else (saved, change.old)
    parent, _, name = change.key.rpartition('.')
    node = _node(config, parent)
    kind = node.get('type') if isinstance(node, Mapping) else None
    for registry in (MODELS, TASK_UTILS):
        cls = find_class(kind, registry, scope) if isinstance(kind, str) else None
        if cls is not None:
            return _default(cls, name) == value
    return False


def _node(config: Any, key: str) -> Any:
    """Return the part of a config at a dotted key; None if there is none."""
    for name in key.split('.'):
        if isinstance(config, list):
            config = config[int(name)] if name.isdigit() and int(name) < len(config) else None
        else:
            config = config.get(name) if isinstance(config, Mapping) else None
    return config


def _default(cls: Any, name: str) -> Any:
    """Return an argument's default as a plain value; `MISSING` if it has none."""
    for part in getattr(cls, '__mro__', (cls,)):
        function = vars(part).get('__init__') if inspect.isclass(part) else part
        parameters = inspect.signature(function).parameters if inspect.isfunction(function) else {}
        if name in parameters:
            default = parameters[name].default
            return MISSING if default is inspect.Parameter.empty else plain({'': default})['']
    return MISSING
