"""Find the backbone and the data preprocessors in a model's config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

from effnet_dense.data.config_walk import type_name


def backbone_owner(config: Config, flag: str) -> Any:
    """Return the part of the model that has the backbone: the model, or the detector in it.

    Raises:
        ValueError: There is none.
    """
    model: Any = config.get('model') or {}
    for owner in (model, model.get('detector')):
        if isinstance(owner, Mapping) and isinstance(owner.get('backbone'), Mapping):
            return owner
    raise ValueError(f'{flag} needs a model with a backbone, got one with {", ".join(model)}')


def is_efficientnet(backbone: Any) -> bool:
    """Whether a backbone is an EfficientNet, this package's or mmdet's."""
    return type_name(backbone) == 'EfficientNet'


def is_ours(node: Any) -> bool:
    """Whether a part is of this package, by its type's name or class."""
    kind = node.get('type', '')
    name = kind if isinstance(kind, str) else getattr(kind, '__module__', '')
    return name.partition('.')[0] == 'effnet_dense'


def preprocessors(config: Config) -> Iterator[Any]:
    """Yield the data preprocessors that normalise the images of the backbone."""
    model: Any = config.get('model') or {}
    for owner in (config, model, model.get('detector') or {}):
        preprocessor = owner.get('data_preprocessor')
        while isinstance(preprocessor, Mapping):
            if 'mean' in preprocessor or 'data_preprocessor' not in preprocessor:
                yield preprocessor
            preprocessor = preprocessor.get('data_preprocessor')


def replace_load_from(config: Config, flag: str) -> str:
    """Drop the weights of a complete model, which other ones would not fit or which they replace.

    Returns:
        What to log; '' if there were none.
    """
    source = config.get('load_from')
    if not source:
        return ''
    config.load_from = None
    return f'; load_from={source} of the config is left out, since {flag} replaces its weights'
