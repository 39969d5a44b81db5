"""Compare a config with the one that a checkpoint was trained with, which it carries as data."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.logging import print_log

from effnet_dense.utils.saved_config import plain, saved_config

SIZE_ARGUMENTS = {'scale', 'crop_size', 'keep_ratio', 'size', 'size_divisor', 'pad_to_square'}
SIZE_STEPS = {
    *('CachedMosaic', 'FixScaleResize', 'Mosaic', 'Pad', 'RandomChoiceResize', 'RandomCrop'),
    *('RandomResize', 'Resize', 'ResizeShortestEdge', 'ResizeToMultiple'),
}
LOADER_ARGUMENTS = {'color_type', 'image_range', 'to_float32'}
PREPROCESSING = {
    *('bgr_to_rgb', 'mean', 'pad_size_divisor', 'pad_val', 'pad_value', 'rgb_to_bgr', 'size'),
    *('size_divisor', 'std'),
}
# Keys of the model that change training alone, or that follow from the data.
NOT_COMPARED = {
    *('class_weight', 'data_preprocessor', 'drop_connect_rate', 'drop_path_rate', 'dropout_ratio'),
    *('frozen_stages', 'init_cfg', 'lean', 'norm_eval', 'num_classes', 'num_stuff_classes'),
    *('num_things_classes', 'out_channels', 'pretrained', 'requires_grad', 'test_cfg'),
    *('train_cfg', 'with_cp', 'momentum', 'sampler', 'assigner', 'ignore_index'),
}
ARCHITECTURE = ('model.backbone.arch', 'model.backbone.type')
"""Keys whose other values can never fit the weights."""
MISSING = '(not set)'
Settings = dict[str, tuple[str, Any]]


def compare_with_saved(config: Any, checkpoint: Any, name: str) -> None:
    """Log what a checkpoint was trained with and what a config has instead.

    Checkpoints without a config pass.

    Args:
        config: In use.
        checkpoint: Loaded.
        name: Its name, for messages.

    Raises:
        ValueError: The backbones differ.
    """
    try:
        saved = saved_config(checkpoint)
        current = plain(config)
    except ValueError as error:
        print_log(f'the config in {name} is not compared: {error}', 'current', logging.WARNING)
        return
    if saved is None:
        return
    lines = differences(saved, current)
    for key in ARCHITECTURE:
        if key in lines:
            raise ValueError(f'{name} is a checkpoint of another model: {lines[key]}')
    if lines:
        print_log(
            f'{name} was trained with other settings than those of the config in use, which are '
            f'kept: {"; ".join(lines.values())}',
            'current',
            logging.WARNING,
        )


def differences(saved: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, str]:
    """Compare what predictions depend on: sizes, normalisation, padding, and the model.

    Args:
        saved: A config as `saved_config` returns it.
        current: A config as `plain` returns it.

    Returns:
        The key in the current config → a text with both values.
    """
    before, after = settings(saved), settings(current)
    lines = {}
    for name in dict.fromkeys([*before, *after]):
        part = name.partition('/')[0]
        if not any(key.partition('/')[0] == part for key in (before if name in after else after)):
            continue  # a config without this part, such as one for testing alone
        old_key, old = before.get(name, ('', MISSING))
        key, new = after.get(name, (old_key, MISSING))
        if not _same(old, new):
            lines[key] = f'{key} was {_shown(old)}, is {_shown(new)}'
    return lines


def settings(config: Mapping[str, Any]) -> Settings:
    """Return what predictions depend on: a name without indices → its key and value."""
    found: Settings = {}
    test = 'test_dataloader' if config.get('test_dataloader') else 'val_dataloader'
    for part, loader in (('test', test), ('train', 'train_dataloader')):
        key, pipeline = _pipeline(config, loader)
        if part == 'train' or not _is_augmented(pipeline):
            found |= _steps(part, key, pipeline)
    model = config.get('model')
    if isinstance(model, Mapping):
        model = model.get('module', model)  # inside a model of test-time augmentation
        preprocessor = model.get('data_preprocessor')
        for name, value in (preprocessor if isinstance(preprocessor, Mapping) else {}).items():
            if name in PREPROCESSING:
                found[f'input/{name}'] = (f'model.data_preprocessor.{name}', value)
        found |= {f'model/{key}': (key, value) for key, value in _leaves('model', model)}
    return found


def _pipeline(config: Mapping[str, Any], loader: str) -> tuple[str, list[Any]]:
    """Return the key and the steps of a loader's first pipeline."""
    node: Any = config.get(loader)
    key = loader
    pipelines: list[Any] = []
    names: tuple[str, ...] = ('dataset',)
    while isinstance(node, Mapping):
        if isinstance(node.get('pipeline'), list):
            pipelines = [f'{key}.pipeline', node['pipeline']]
        if isinstance(node.get('datasets'), list) and node['datasets']:
            node, key = node['datasets'][0], f'{key}.datasets.0'
        else:
            node, key = node.get(names[0]), f'{key}.{names[0]}'
    return (pipelines[0], pipelines[1]) if pipelines else (key, [])


def _is_augmented(pipeline: list[Any]) -> bool:
    """Whether a pipeline is for test-time augmentation, whose sizes are meant to differ."""
    return any(isinstance(step, Mapping) and 'transforms' in step for step in pipeline)


def _steps(part: str, key: str, pipeline: list[Any]) -> Settings:
    found: Settings = {}
    for index, step in enumerate(pipeline):
        kind = _last(step.get('type')) if isinstance(step, Mapping) else ''
        names = SIZE_ARGUMENTS if kind in SIZE_STEPS else set()
        names = LOADER_ARGUMENTS if kind == 'LoadImageFromFile' and part == 'test' else names
        for name in names & set(step if isinstance(step, Mapping) else ()):
            found[f'{part}/{kind}.{name}'] = (f'{key}.{index}.{name}', step[name])
    return dict(sorted(found.items()))


def _leaves(key: str, node: Any) -> Iterator[tuple[str, Any]]:
    """Yield the keys and values of a model that the meaning of its weights depends on."""
    if isinstance(node, Mapping):
        for name, child in node.items():
            if name not in NOT_COMPARED and not str(name).startswith('loss'):
                yield from _leaves(f'{key}.{name}', child)
    elif isinstance(node, list) and any(isinstance(child, Mapping) for child in node):
        for index, child in enumerate(node):
            yield from _leaves(f'{key}.{index}', child)
    elif node is not None:
        yield key, _last(node) if key.endswith('.type') else node


def _last(kind: Any) -> Any:
    """Return a type's name without its scope, and BN for SyncBN, whose weights are the same."""
    name = kind.rpartition('.')[2] if isinstance(kind, str) else kind
    return 'BN' if name == 'SyncBN' else name


def _same(old: Any, new: Any) -> bool:
    if old in (MISSING, None) and new in (MISSING, None):
        return True
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_same, old, new))
    numbers = isinstance(old, int | float) and isinstance(new, int | float)
    return abs(old - new) <= 1e-6 * max(abs(old), abs(new)) if numbers else bool(old == new)


def _shown(value: Any) -> str:
    text = value if value is MISSING else repr(value)
    return text if len(text) <= 80 else f'{text[:80]}…'
