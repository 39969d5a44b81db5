"""Check the kinds of a config's entries, before anything reads what is inside of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

LOOPS = ('train', 'val', 'test')
DICTIONARY, LIST, TEXT, TRUTH = 'a dictionary', 'a list', 'a text', 'True or False'
_TYPES: dict[str, Any] = {
    DICTIONARY: Mapping,
    LIST: (list, tuple),
    TEXT: str,
    TRUTH: bool,
}
KINDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            *(
                f'{loop}_{end}'
                for loop in ('train', 'val', 'test')
                for end in ('cfg', 'dataloader')
            ),
            *('auto_scale_lr', 'custom_imports', 'data_preprocessor', 'default_hooks', 'env_cfg'),
            *('log_processor', 'model', 'model_wrapper_cfg', 'optim_wrapper', 'randomness'),
            *('tta_model', 'visualizer'),
        ),
        (DICTIONARY,),
    ),
    **dict.fromkeys(
        ('activation_checkpointing', 'custom_hooks', 'efficient_conv_bn_eval', 'load_from_ignore'),
        (LIST,),
    ),
    **dict.fromkeys(('default_scope', 'device', 'load_from', 'runner_type', 'sync_bn'), (TEXT,)),
    **dict.fromkeys(
        (
            *('channels_last', 'cuda_graphs', 'find_unused_parameters', 'load_from_rows'),
            *('reduced_decoding', 'report', 'resume'),
        ),
        (TRUTH,),
    ),
    **dict.fromkeys(('param_scheduler', 'val_evaluator', 'test_evaluator'), (DICTIONARY, LIST)),
    'compile': (DICTIONARY, TRUTH),
}
PLAIN = (Mapping, list, tuple, str, int, float)
"""Values of other types are objects that are built already, in configs made by a program."""
INSIDE_DATASET = dict(
    ann_file=(TEXT, LIST),
    data_root=(TEXT,),
    data_prefix=(DICTIONARY, TEXT),
    metainfo=(DICTIONARY, TEXT),
    pipeline=(LIST,),
)


def check_top_level(cfg: Any) -> None:
    """Check the kinds of the entries that this package and mmengine read.

    Args:
        cfg: A config; None is allowed for each entry.

    Raises:
        ValueError: Names the first that is wrong, what is expected and what was received.
    """
    for key, kinds in KINDS.items():
        value = cfg.get(key)
        if isinstance(value, PLAIN) and not _is(value, kinds):
            raise ValueError(f'{key} must be {" or ".join(kinds)}, got {value!r:.100}')
    for loop in LOOPS:
        loader = cfg.get(f'{loop}_dataloader')
        if isinstance(loader, Mapping) and 'dataset' in loader:
            for key, dataset in _datasets(f'{loop}_dataloader.dataset', loader['dataset']):
                _check_dataset(key, dataset)
    check_log_level(cfg.get('log_level'))


def check_model(cfg: Any) -> None:
    """Check that a config has a model.

    Raises:
        ValueError: There is none, or it has no type.
    """
    model = cfg.get('model')
    name = getattr(cfg, 'filename', None) or 'the config'
    if isinstance(model, Mapping) and not isinstance(model.get('type'), str | type):
        raise ValueError(f'{name} must name a class as model.type, got {model.get("type")!r}')
    if model is None or isinstance(model, str | int | float | list | tuple):
        raise ValueError(f'{name} must define model=dict(type=…), got {model!r:.100}')


def check_tested(cfg: Any) -> None:
    """Check that a config says what is tested, and how.

    Raises:
        ValueError: An entry is missing.
    """
    needed = ('test_dataloader', 'test_evaluator', 'test_cfg')
    missing = [key for key in needed if cfg.get(key) is None]
    if missing:
        name = getattr(cfg, 'filename', None) or 'the config'
        raise ValueError(f'{name} has no {", ".join(missing)}, which a test needs')


def check_log_level(level: Any) -> None:
    """Check the name or number of a level of Python's logging.

    Raises:
        ValueError: There is no such level.
    """
    known = logging.getLevelNamesMapping()
    if level is not None and level not in known and (type(level) is not int or level < 0):
        raise ValueError(f'log_level must be one of {", ".join(known)}, got {level!r}')


def _is(value: Any, kinds: tuple[str, ...]) -> bool:
    return any(isinstance(value, _TYPES[kind]) for kind in kinds)


def _datasets(key: str, node: Any) -> Iterator[tuple[str, Any]]:
    """Yield a data set and those inside of it, with their keys."""
    yield key, node
    if isinstance(node, Mapping):
        if 'dataset' in node:
            yield from _datasets(f'{key}.dataset', node['dataset'])
        for index, child in enumerate(node.get('datasets') or ()):
            yield from _datasets(f'{key}.datasets.{index}', child)


def _check_dataset(key: str, node: Any) -> None:
    if node is None or (isinstance(node, PLAIN) and not isinstance(node, Mapping)):
        raise ValueError(f'{key} must be {DICTIONARY}, got {node!r:.100}')
    if not isinstance(node, Mapping):
        return  # built already
    for name, kinds in INSIDE_DATASET.items():
        value = node.get(name)
        if isinstance(value, PLAIN) and not _is(value, kinds):
            raise ValueError(f'{key}.{name} must be {" or ".join(kinds)}, got {value!r:.100}')
