"""Check the arguments of data loaders, and how their processes start."""

from __future__ import annotations

import inspect
import math
import multiprocessing
from collections.abc import Mapping
from typing import Any

from torch.utils.data import DataLoader

from effnet_dense.engine.checks.numbers import check_integer, is_number
from effnet_dense.engine.checks.signatures import check_names

LOADER_KEYS = {
    *inspect.signature(DataLoader).parameters,
    'disable_subprocess_warning',
    'num_batch_per_epoch',
}
SMALLEST = dict(batch_size=1, num_workers=0, prefetch_factor=1)
OF_WORKERS = ('persistent_workers', 'prefetch_factor', 'multiprocessing_context')
"""Arguments that PyTorch refuses, or ignores, without workers."""


def check_loaders(cfg: Any) -> None:
    """Check the loaders of training, validation and test, and `env_cfg.mp_cfg`.

    Raises:
        ValueError: Names the key, its value and what is expected.
    """
    for loop in ('train', 'val', 'test'):
        loader = cfg.get(f'{loop}_dataloader')
        if isinstance(loader, Mapping):
            _check_loader(f'{loop}_dataloader', loader)
    environment = cfg.get('env_cfg') or {}
    for name in ('mp_cfg', 'dist_cfg'):
        if environment.get(name) is not None and not isinstance(environment[name], Mapping):
            raise ValueError(f'env_cfg.{name} must be a dictionary, got {environment[name]!r:.100}')
    processes = environment.get('mp_cfg')
    if processes:
        check_start_method('env_cfg.mp_cfg.mp_start_method', processes.get('mp_start_method'))
        threads = processes.get('opencv_num_threads')
        if threads is not None:
            check_integer('env_cfg.mp_cfg.opencv_num_threads', threads, -1)


def _check_loader(key: str, loader: Mapping[str, Any]) -> None:
    check_names(key, loader, LOADER_KEYS)
    for name, smallest in SMALLEST.items():
        if loader.get(name) is not None:
            check_integer(f'{key}.{name}', loader[name], smallest)
    if loader.get('timeout') is not None:
        check_seconds(f'{key}.timeout', loader['timeout'])
    if not isinstance(loader.get('pin_memory', False), bool | None):
        raise ValueError(
            f'{key}.pin_memory must be True or False, got {loader["pin_memory"]!r:.100}'
        )
    context = loader.get('multiprocessing_context')
    if isinstance(context, str):
        check_start_method(f'{key}.multiprocessing_context', context)
    for name in OF_WORKERS:
        if not loader.get('num_workers') and loader.get(name):
            raise ValueError(
                f'{key}.{name}={loader[name]!r} needs workers: write {key}.num_workers of at least '
                f'1, or {key}.{name}={False if name == OF_WORKERS[0] else None}'
            )


def check_seconds(key: str, value: Any) -> None:
    """Check how long something may take; 0 is for ever.

    Raises:
        ValueError: It is no number of at least 0.
    """
    if not is_number(value) or not 0 <= value < math.inf:
        raise ValueError(f'{key} must be a number of seconds, at least 0, got {value!r:.100}')


def check_start_method(key: str, method: Any) -> None:
    """Check how processes start; None is the system's way.

    Raises:
        ValueError: This system has no such method.
    """
    known = multiprocessing.get_all_start_methods()
    if method is not None and method not in known:
        raise ValueError(f'{key} must be one of {", ".join(known)}, got {method!r:.100}')
