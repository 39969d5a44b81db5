"""Compare how images are loaded for training with how they are loaded later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from effnet_dense.data.config_walk import type_name

COMPARED = ('image_range', 'color_type')
"""Arguments of `LoadImageFromFile` that change what a model sees."""

LATER = ('val_dataloader', 'test_dataloader', 'custom_hooks')
"""Where images are loaded after or beside training; hooks switch pipelines."""


def loading_warnings(cfg: Mapping[str, Any]) -> list[str]:
    """Return a line for each argument of loaders that differs from training's.

    Args:
        cfg: The runner's config.
    """
    trained = list(_loaders('train_dataloader', cfg.get('train_dataloader')))
    lines = []
    for argument in COMPARED:
        known = {_value(step, argument): key for key, step in trained}
        for place in LATER if trained else ():
            for key, step in _loaders(place, cfg.get(place)):
                if _value(step, argument) not in known:
                    lines.append(
                        f'{key} loads images with {argument}={step.get(argument)!r}, training '
                        f'with {trained[0][1].get(argument)!r} ({trained[0][0]}): write the same, '
                        'so that the model sees images as it was trained on them'
                    )
    return list(dict.fromkeys(lines))


def _value(step: Mapping[str, Any], argument: str) -> str:
    value = step.get(argument)
    return str(list(value) if isinstance(value, tuple) else value)


def _loaders(key: str, node: Any) -> Iterator[tuple[str, Any]]:
    """Yield the steps that load images, with their keys."""
    if isinstance(node, list | tuple):
        for index, child in enumerate(node):
            yield from _loaders(f'{key}.{index}', child)
    elif isinstance(node, Mapping):
        if type_name(node) == 'LoadImageFromFile':
            yield key, node
        for name, child in node.items():
            yield from _loaders(f'{key}.{name}', child)
