"""Summarise a run in the words of the person who started it: data, size, batch, rate, length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.runner import BaseLoop, Runner

from effnet_dense.data.config_walk import is_segmentation, metrics_of, type_name
from effnet_dense.engine.figures import metrics_line, model_line, size_line
from effnet_dense.engine.hooks.best import best_in
from effnet_dense.engine.hooks.summary import device
from effnet_dense.report.sections import Section, Table
from effnet_dense.utils.counted import counted
from effnet_dense.utils.wrappers import unwrap_model

LABELS = {
    'task': 'Task',
    'model': 'Model',
    'device': 'Device',
    'data': 'Data',
    'folder': 'Evaluated images',
    'size': 'Image size',
    'batch': 'Batch',
    'rate': 'Learning rate',
    'length': 'Length',
    'best': 'Best validation',
}


def summarise(runner: Runner) -> dict[str, str]:
    """Return the facts of a run, by the keys of `LABELS`.

    Those that are unknown are missing, and those of a training where none was built: the config of
    a test may say another length than the checkpoint was trained for.
    """
    config = runner.cfg
    training = isinstance(runner._train_loop, BaseLoop)
    facts = {
        'task': task_of(config),
        'model': model_line(config, unwrap_model(runner.model)),
        'device': device(config),
        'data': ', '.join(_data(runner)),
        'folder': _folder(_dataset(runner, '_val_loop') or _dataset(runner, '_test_loop')),
        'size': f'{size_line(config)} pixels' if size_line(config) else '',
        'batch': _batch(runner) if training else '',
        'rate': _rate(config) if training else '',
        'length': _length(config) if training else '',
        'best': _best(runner),
    }
    return {key: value for key, value in facts.items() if value}


def summary_section(run: Mapping[str, Any]) -> Section:
    """Make the page's first section from the facts in `run.json`."""
    summary = run.get('summary')
    facts = dict(summary) if isinstance(summary, Mapping) else {}
    rows = [[LABELS[key], str(facts[key])] for key in LABELS if key in facts]
    rows = [['Config', str(run.get('name', ''))], *rows, ['Duration', str(run['duration'])]]
    return Section('summary', 'Summary', tables=[Table(['', ''], rows)])


def task_of(config: Any) -> str:
    """Name a config's task by what its validation measures."""
    if is_segmentation(config):
        return 'semantic segmentation'
    metrics = metrics_of(config.get('val_evaluator') or config.get('test_evaluator'))
    names = {type_name(metric) for metric in metrics}
    if 'CocoPanopticMetric' in names:
        return 'panoptic segmentation'
    kinds = [metric.get('metric') or () for metric in metrics if isinstance(metric, Mapping)]
    masks = any(kind == 'segm' or 'segm' in kind for kind in kinds)
    return 'instance segmentation' if masks else 'object detection'


def _data(runner: Runner) -> Iterator[str]:
    """Yield the numbers of images and classes."""
    training, validation = _dataset(runner, '_train_loop'), _dataset(runner, '_val_loop')
    test = None if training or validation else _dataset(runner, '_test_loop')
    for dataset, text in ((training, 'train'), (validation, 'validate'), (test, 'test')):
        if dataset is not None:
            yield f'{counted(len(dataset), "image")} to {text} on'
    evaluated = validation or test or training
    classes = getattr(evaluated, 'metainfo', {}).get('classes') or ()
    if classes:
        yield f'{counted(len(classes), "class")}'


def _dataset(runner: Runner, loop: str) -> Any:
    """Return a loop's dataset, or None before the loop is built."""
    return getattr(getattr(getattr(runner, loop), 'dataloader', None), 'dataset', None)


def _folder(dataset: Any) -> str:
    """Return the folder of a dataset's images; '' if wrappers or datasets of others hide it."""
    prefixes = getattr(dataset, 'data_prefix', None) or {}
    return str(prefixes.get('img') or prefixes.get('img_path') or '')


def _batch(runner: Runner) -> str:
    loader = runner.cfg.get('train_dataloader') or {}
    batch = loader.get('batch_size')
    if not isinstance(batch, int):
        return ''
    accumulated = (runner.cfg.get('optim_wrapper') or {}).get('accumulative_counts') or 1
    total = batch * runner.world_size * accumulated
    factors = [f'{batch} per device', f'{runner.world_size} devices', f'{accumulated} accumulated']
    parts = [
        factors[0],
        *(factors[i] for i, n in ((1, runner.world_size), (2, accumulated)) if n > 1),
    ]
    return f'{counted(total, "image")} per step' + (
        f' ({" × ".join(parts)})' if total != batch else ''
    )


def _rate(config: Any) -> str:
    """Describe optimizer, rate and schedules."""
    optimizer = (config.get('optim_wrapper') or {}).get('optimizer') or {}
    rate = optimizer.get('lr')
    if not isinstance(rate, int | float):
        return ''
    schedules = config.get('param_scheduler') or []
    schedules = [schedules] if isinstance(schedules, Mapping) else schedules
    names = ', '.join(type_name(part) for part in schedules if isinstance(part, Mapping))
    return f'{rate:g} ({type_name(optimizer)}{f"; {names}" if names else ""})'


def _length(config: Any) -> str:
    loop = config.get('train_cfg') or {}
    if isinstance(loop.get('max_epochs'), int):
        return counted(loop['max_epochs'], 'epoch')
    return counted(loop['max_iters'], 'step') if isinstance(loop.get('max_iters'), int) else ''


def _best(runner: Runner) -> str:
    best = best_in(runner.message_hub.runtime_info)
    return f'{metrics_line({best.metric: best.value})} after {best.when}' if best else ''
