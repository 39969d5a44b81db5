"""Check the arguments of what a config builds, before anything is built."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from mmengine.hooks import CheckpointHook, LoggerHook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from mmengine.runner import Runner as MMEngineRunner
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from effnet_dense.engine.checks.annotation_files import check_annotation_files
from effnet_dense.engine.checks.config_parts import GIVEN_BY_RUNNER, Parts
from effnet_dense.engine.checks.loaders import check_loaders
from effnet_dense.engine.checks.nms import check_nms
from effnet_dense.engine.checks.numbers import check_integer
from effnet_dense.engine.checks.schedule_numbers import check_schedule_numbers
from effnet_dense.engine.checks.signatures import arguments_of, check_names, check_numbers
from effnet_dense.engine.checks.sizes import check_sizes
from effnet_dense.engine.checks.thresholds import check_thresholds
from effnet_dense.engine.checks.top_level import check_top_level

TRAIN_LOOPS = {
    'EpochBasedTrainLoop': EpochBasedTrainLoop,
    'IterBasedTrainLoop': IterBasedTrainLoop,
    'effnet_dense.EpochBasedTrainLoop': EpochBasedTrainLoop,
    'effnet_dense.IterBasedTrainLoop': IterBasedTrainLoop,
}
# Argument of a training loop → its smallest value.
SMALLEST = dict(max_epochs=1, max_iters=1, val_interval=1, val_begin=0)
# Dictionaries without a class → the keys that are read.
SETTINGS = {
    'auto_scale_lr': {'base_batch_size', 'enable'},
    'env_cfg': {'cudnn_benchmark', 'dist_cfg', 'mp_cfg', 'resource_limit'},
    'env_cfg.mp_cfg': {'mp_start_method', 'opencv_num_threads'},
}
PARAMWISE = {
    'bias_decay_mult',
    'bias_lr_mult',
    'bypass_duplicate',
    'custom_keys',
    'dcn_offset_lr_mult',
    'dwconv_decay_mult',
    'flat_decay_mult',
    'norm_decay_mult',
}
LARGEST_SEED = 2**32 - 1  # numpy's


def check_arguments(cfg: Any) -> None:
    """Check the arguments of hooks, loops, optimizer, schedules, metrics, loaders and transforms.

    Args:
        cfg: The runner's config.

    Raises:
        ValueError: Names the key, its value, and what is expected.
    """
    check_top_level(cfg)
    for part in Parts(cfg):
        known = arguments_of(part.cls) if part.cls is not None else None
        if _is_a(part.cls, CheckpointHook):
            # Others go to `Runner.save_checkpoint`, which has no others.
            known = _named(CheckpointHook.__init__)
        given = {k: v for k, v in part.node.items() if k not in ('type', '_scope_', *part.more)}
        if known is not None:
            check_names(part.key, given, set(known) - GIVEN_BY_RUNNER)
            if '.pipeline.' not in part.key:  # mmdet's annotations of transforms are too narrow
                check_numbers(part.key, given, known)
        if part.key.startswith(('default_hooks', 'custom_hooks')):
            check_interval(part.key, part.cls, given)
    check_loaders(cfg)
    check_annotation_files(cfg)
    check_train_loop(cfg.get('train_cfg'))
    check_sizes(cfg)
    check_thresholds(cfg)
    check_nms(cfg)
    check_schedule_numbers(cfg)
    check_randomness(cfg.get('randomness') or {})
    check_clip_grad(cfg.get('optim_wrapper'))
    check_settings(cfg)


def check_interval(key: str, cls: Any, given: Mapping[str, Any]) -> None:
    """Check how often a hook acts; -1 is never.

    Raises:
        ValueError: `interval` is no number of steps.
    """
    interval = given.get('interval')
    never = (-1, 0) if _is_a(cls, CheckpointHook) else () if _is_a(cls, LoggerHook) else (-1,)
    if interval is not None and interval not in never:
        check_integer(f'{key}.interval', interval, 1)


def _is_a(cls: Any, base: type) -> bool:
    return inspect.isclass(cls) and issubclass(cls, base)


def _named(function: Any) -> dict[str, Any]:
    """Return a function's arguments without its `**kwargs`."""
    parameters = inspect.signature(function).parameters.values()
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {p.name: p.annotation for p in parameters if p.kind not in kinds and p.name != 'self'}


def check_train_loop(loop: Any) -> None:
    """Check the arguments of mmengine's and this package's training loops.

    Raises:
        ValueError: An unknown name, or a number that would end the run later.
    """
    if not isinstance(loop, Mapping):
        return
    kind = loop.get('type') or _loop_by_epoch(loop)
    cls = TRAIN_LOOPS.get(kind, kind)
    if cls not in TRAIN_LOOPS.values():
        return
    given = {k: v for k, v in loop.items() if k not in ('type', '_scope_', 'by_epoch')}
    check_names('train_cfg', given, set(_named(vars(cls)['__init__'])) - GIVEN_BY_RUNNER)
    for name, smallest in SMALLEST.items():
        if name in given:
            check_integer(f'train_cfg.{name}', given[name], smallest)
    for index, interval in enumerate(given.get('dynamic_intervals') or ()):
        check_integer(f'train_cfg.dynamic_intervals.{index}.1', interval[1], 1)


def _loop_by_epoch(loop: Mapping[str, Any]) -> str:
    return 'EpochBasedTrainLoop' if loop.get('by_epoch') else 'IterBasedTrainLoop'


def check_randomness(randomness: Mapping[str, Any]) -> None:
    """Check the seed and its switches.

    Raises:
        ValueError: An unknown name, or a seed that is no number.
    """
    check_names('randomness', randomness, set(_named(MMEngineRunner.set_randomness)))
    if randomness.get('seed') is not None:
        check_integer('randomness.seed', randomness['seed'], 0, LARGEST_SEED)


def check_clip_grad(wrapper: Any) -> None:
    """Check accumulation and clipping of gradients, which are read in the first step.

    Raises:
        ValueError: An unknown name, or an impossible number.
    """
    if not isinstance(wrapper, Mapping):
        return
    if wrapper.get('accumulative_counts') is not None:
        check_integer('optim_wrapper.accumulative_counts', wrapper['accumulative_counts'], 1)
    clip = wrapper.get('clip_grad')
    if not isinstance(clip, Mapping):
        return
    function = clip_grad_value_ if clip.get('type') == 'value' else clip_grad_norm_
    known = {*_named(function), 'type'} - {'parameters'}
    check_names('optim_wrapper.clip_grad', clip, known)
    for name in ('max_norm', 'clip_value'):
        limit = clip.get(name, 1)
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not limit > 0:
            raise ValueError(
                f'optim_wrapper.clip_grad.{name}={limit!r} would leave no gradient: write a number '
                'above 0, or optim_wrapper.clip_grad=None to clip nothing'
            )


def check_settings(cfg: Any) -> None:
    """Check settings that are read by their names alone, where others would change nothing.

    Raises:
        ValueError: An unknown name.
    """
    for key, known in SETTINGS.items():
        node = cfg.get(key.split('.')[0])
        for name in key.split('.')[1:]:
            node = node.get(name) if isinstance(node, Mapping) else None
        if isinstance(node, Mapping):
            check_names(key, node, known)
    wrapper = cfg.get('optim_wrapper')
    constructor = isinstance(wrapper, Mapping) and wrapper.get('constructor')
    if isinstance(wrapper, Mapping) and constructor in (None, 'DefaultOptimWrapperConstructor'):
        check_names('optim_wrapper.paramwise_cfg', wrapper.get('paramwise_cfg') or {}, PARAMWISE)
