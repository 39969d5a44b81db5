"""Read what a work folder, or a checkpoint alone, says about its run: config, classes, figures."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mmengine.config import Config

from effnet_dense.data.config_walk import loop_datasets
from effnet_dense.data.model_classes import checkpoint_meta
from effnet_dense.engine.checks.plain_data import TYPE_KEYS, WRITE_PYTHON, check_runs_nothing
from effnet_dense.engine.checks.registered_names import registered_paths
from effnet_dense.engine.hooks.best import FILE as BEST_FILE
from effnet_dense.engine.hooks.best import Best, best_in
from effnet_dense.engine.resume.checkpoints import BEST, last_checkpoint
from effnet_dense.engine.size_tuples import use_size_tuples
from effnet_dense.utils.outputs import is_listed
from effnet_dense.utils.saved_config import saved_config
from effnet_dense.weights.safe import safe_load

SUFFIXES = ('.pth', '.pt')
INFINITIES = ('inf', '-inf')
"""How `saved_config` writes them."""
PLUGIN = {'imports': ['effnet_dense'], 'allow_failed_imports': False}
TIMESTAMP = re.compile(r'_\d{8}_\d{6}(?:_\d+)?$')
SHOWN = 5
"""Largest number of names in a message."""


@dataclass(frozen=True)
class RunFolder:
    """A training run.

    Attributes:
        folder: The work folder. For a checkpoint alone it is that of the checkpoint if a training
            has written it there, else work_dirs/NAME.
        checkpoint: What is used: the checkpoint that was given, else the best, else the last one.
        best: The best checkpoint; None if the folder has none.
        last: The last checkpoint; None if the folder has none.
        name: Of the config.
        config: With the data, and all options, of the training. Its `work_dir` is `folder`, and
            nothing in it is Python: types are registered names.
        classes: Names in the order of the labels; () if the checkpoint has none.
        best_figure: What `checkpoint` is the best of, if it says so.
        step: The epoch, or iteration, after which `checkpoint` was written.
        length: Epochs, or iterations, of the training; None if its config does not say.
        by_epoch: Whether `step` and `length` are epochs.
        written: When `checkpoint` was written, in seconds since the epoch.
    """

    folder: Path
    checkpoint: Path
    best: Path | None
    last: Path | None
    name: str
    config: Config
    classes: tuple[str, ...]
    best_figure: Best | None
    step: int
    length: int | None
    by_epoch: bool
    written: float

    @property
    def data(self) -> str | None:
        """The root of the training data, as the config has it."""
        datasets = loop_datasets(self.config, 'train') or loop_datasets(self.config, 'val')
        return next((str(d['data_root']) for d in datasets if d.get('data_root')), None)

    @property
    def image_size(self) -> tuple[int, int] | None:
        """Width and height to which the test pipeline resizes images; None if it does not."""
        for loop in ('test', 'val'):
            for dataset in loop_datasets(self.config, loop):
                for step in dataset.get('pipeline') or ():
                    scale = step.get('scale') if 'Resize' in str(step.get('type')) else None
                    if isinstance(scale, tuple) and len(scale) == 2:
                        return int(scale[0]), int(scale[1])
        return None

    @property
    def finished(self) -> bool:
        """Whether `checkpoint` was written at the end of the training."""
        return self.length is not None and self.step >= self.length

    def __str__(self) -> str:
        """Describe it, such as 'effnet_…_finetune, epoch 3 of 15, 2026-11-28 20:05'."""
        unit = 'epoch' if self.by_epoch else 'iteration'
        of = f' of {self.length}' if self.length is not None else ''
        when = datetime.fromtimestamp(self.written).strftime('%Y-%m-%d %H:%M')
        return f'{self.name}, {unit} {self.step}{of}, {when}'


def is_run(source: str | os.PathLike[str]) -> bool:
    """Whether a text names a folder or a checkpoint file, not a config."""
    path = Path(source)
    return path.is_dir() or (path.suffix in SUFFIXES and path.is_file())


def is_checkpoint(text: str) -> bool:
    """Whether a word is a checkpoint by its form: a name with its suffix, or a URL."""
    return '://' in text or Path(text).suffix in (*SUFFIXES, '.safetensors', '.npz')


def default_checkpoint(config: str) -> str:
    """Return the checkpoint of a run that is given in place of a config.

    Raises:
        FileNotFoundError: See `checkpoint_of`.
        ValueError: See `checkpoint_of`; or it is no run.
    """
    if not is_run(config):
        raise ValueError(
            f'{config} is neither a work folder nor a checkpoint: expected a checkpoint after it'
        )
    return str(checkpoint_of(config))


def holds_run(folder: Path) -> bool:
    """Whether a folder has a checkpoint."""
    return next(checkpoints(folder), None) is not None


def checkpoint_of(source: str | os.PathLike[str], resume: bool = False) -> Path:
    """Return a run's checkpoint: the file itself, or the best one of a folder, else the last one.

    Args:
        source: A work folder, or one of its checkpoints.
        resume: Prefer the last checkpoint to the best one.

    Raises:
        FileNotFoundError: The folder has no checkpoint, or there is no such file.
        ValueError: The folder has checkpoints of several runs.
    """
    path = Path(source)
    if path.is_file():
        return path
    if not path.is_dir():
        raise FileNotFoundError(f'no work folder or checkpoint {str(source)!r}')
    best, last = find_best(path), find_last(path)
    chosen = (last or best) if resume else (best or last)
    if chosen is None:
        raise FileNotFoundError(_no_checkpoint(path))
    if chosen.name != BEST_FILE and last_checkpoint(path) is None:
        _check_one_run(path)
    return chosen


def open_run(source: str | os.PathLike[str], resume: bool = False) -> RunFolder:
    """Read a run.

    Args:
        source: A work folder, or one of its checkpoints.
        resume: Prefer the last checkpoint to the best one.

    Raises:
        FileNotFoundError: The folder has no checkpoint, or there is no such file.
        ValueError: It has those of several runs, or the checkpoint is damaged or does not say with
            which config it was trained.
    """
    path = Path(source)
    chosen = checkpoint_of(path, resume)
    folder = chosen.parent if path.is_file() else path
    best, last = find_best(folder), find_last(folder)
    checkpoint = _read(chosen, None if path.is_file() else folder)
    name = _name(checkpoint, chosen)
    config = config_in(checkpoint, chosen)
    if path.is_file() and not is_listed(path):
        folder = Path('work_dirs', name)
    config.work_dir = str(folder)
    config.experiment_name = name
    meta = checkpoint_meta(checkpoint, str(chosen))
    counters = checkpoint['meta']
    length, by_epoch = _length(config)
    return RunFolder(
        folder=folder,
        checkpoint=chosen,
        best=best,
        last=last,
        name=name,
        config=config,
        classes=tuple(meta['classes']) if meta else (),
        best_figure=best_in(counters),
        step=_count(counters.get('epoch' if by_epoch else 'iter')),
        length=length,
        by_epoch=by_epoch,
        written=chosen.stat().st_mtime,
    )


def describe_run(folder: str | os.PathLike[str]) -> str | None:
    """Describe the training that a folder holds in a few words.

    None if no training has written a checkpoint there; other files may be weights to begin with.
    """
    folder = Path(folder)
    last = last_checkpoint(folder)
    if last is None or not last.is_file():
        last = next((path for path in checkpoints(folder) if is_listed(path)), None)
    if last is None:
        return None
    try:
        return str(open_run(folder, resume=True))
    except (ValueError, OSError):
        when = datetime.fromtimestamp(last.stat().st_mtime).strftime('%Y-%m-%d %H:%M')
        return f'{last.name}, {when}'


def check_new(folder: str | os.PathLike[str]) -> None:
    """Check that a new training may use a folder.

    Raises:
        FileExistsError: It holds a training already.
    """
    found = describe_run(folder)
    if found is not None:
        raise FileExistsError(
            f'{folder} already holds a training ({found}): continue it with --resume, or choose '
            'another folder with --work-dir'
        )


def find_best(folder: Path) -> Path | None:
    """Find the best checkpoint of a folder: `best.pth`, else the newest that mmengine named."""
    own = folder / BEST_FILE
    if own.is_file():
        return own
    named = [path for path in checkpoints(folder) if BEST.match(path.name)]
    return max(named, key=lambda path: path.stat().st_mtime_ns, default=None)


def find_last(folder: Path) -> Path | None:
    """Find the last checkpoint: that in `last_checkpoint`, else the newest that is no best one."""
    named = last_checkpoint(folder)
    if named is not None and named.is_file():
        return named
    others = [path for path in checkpoints(folder) if not BEST.match(path.name)]
    return max(others, key=lambda path: path.stat().st_mtime_ns, default=None)


def checkpoints(folder: Path) -> Iterator[Path]:
    """Yield a folder's checkpoint files; names with a leading dot are unfinished."""
    for suffix in SUFFIXES:
        yield from (path for path in sorted(folder.glob(f'[!.]*{suffix}')) if path.is_file())


def config_in(checkpoint: Any, name: Any) -> Config:
    """Return the config that a checkpoint was trained with, as data.

    Types must be registered names, or the paths of what is registered, as the classes of a Python
    config are stored; nothing in it is imported or executed. Lists become the tuples that
    transforms expect, as in YAML and JSON configs.

    Args:
        checkpoint: Loaded.
        name: Its name, for messages.

    Raises:
        ValueError: It has no config, or one that would run code.
    """
    found = saved_config(checkpoint)
    if found is None:
        raise ValueError(
            f'{name} does not say with which config it was trained: give the config, too'
        )
    found.pop('custom_imports', None)
    _restore(found, None)
    try:
        check_runs_nothing(found)
    except ValueError as error:
        reason = str(error).replace(f': nothing else is allowed {WRITE_PYTHON}', '')
        raise ValueError(
            f'the config in {name} cannot be used alone: {reason.replace(WRITE_PYTHON, "in it")}; '
            'give the config, too'
        ) from None
    config = Config(found)
    use_size_tuples(config)
    config.custom_imports = PLUGIN
    config.resume = False
    return config


def _restore(node: Any, paths: dict[str, str] | None) -> dict[str, str] | None:
    """Restore what JSON has no form for: registered types, infinities, tuples of names.

    Args:
        node: Changed in place.
        paths: From `registered_paths`, which is called where one is needed.

    Returns:
        `paths`.
    """
    items = list(node.items() if isinstance(node, dict) else enumerate(node))
    for key, value in items:
        if key == 'metainfo' and isinstance(value, dict):
            node[key] = _metainfo(value)
        elif isinstance(value, dict | list):
            paths = _restore(value, paths)
        elif value in INFINITIES and isinstance(node, dict):
            node[key] = float(value)
        elif key in TYPE_KEYS and isinstance(value, str) and value.count('.') > 1:
            paths = registered_paths() if paths is None else paths
            node[key] = paths.get(value, value)
    return paths


def _metainfo(values: dict[str, Any]) -> dict[str, Any]:
    """Return names and colours as tuples, with which mmengine compares those of a checkpoint."""
    classes, palette = values.get('classes'), values.get('palette')
    found = dict(values)
    if isinstance(classes, list):
        found['classes'] = tuple(classes)
    if isinstance(palette, list):
        found['palette'] = [tuple(c) if isinstance(c, list) else c for c in palette]
    return found


def _read(path: Path, folder: Path | None) -> Mapping[str, Any]:
    """Read a checkpoint with its `meta`.

    Raises:
        ValueError: It is damaged; names the folder's other checkpoints.
    """
    others = [p.name for p in checkpoints(folder)] if folder is not None else []
    others = [name for name in others if name != path.name][-SHOWN:]
    hint = f'; name another one of {folder}: {", ".join(others)}' if others else ''
    try:
        checkpoint = safe_load(path)
    except ValueError as error:
        raise ValueError(f'{error}{hint}') from None
    meta = checkpoint.get('meta') if isinstance(checkpoint, Mapping) else None
    if not isinstance(meta, Mapping):
        raise ValueError(
            f'{path} does not say with which config it was trained: give the config, too{hint}'
        )
    return checkpoint


def _check_one_run(folder: Path) -> None:
    """Check that the checkpoints of a folder, which names no last one, are those of one config.

    Raises:
        ValueError: They are not.
    """
    runs: dict[str, Path] = {}
    for path in checkpoints(folder):
        try:
            runs.setdefault(_name(_read(path, None), path), path)
        except (OSError, ValueError):
            continue  # reported if it is the one that is used
    if len(runs) > 1:
        found = ', '.join(f'{path.name} ({name})' for name, path in list(runs.items())[:SHOWN])
        raise ValueError(f'{folder} has checkpoints of several runs: name one, {found}')


def _no_checkpoint(folder: Path) -> str:
    """Explain that a folder has no checkpoint; name the runs inside it."""
    below = sorted({path.parent for suffix in SUFFIXES for path in folder.glob(f'*/*{suffix}')})
    if not below:
        return f'{folder} is no work folder of a training: it has no checkpoint (*.pth)'
    names = ', '.join(map(str, below[:SHOWN])) + (', …' if len(below) > SHOWN else '')
    kind = 'several runs' if len(below) > 1 else 'a run'
    return f'{folder} has no checkpoint itself, but {kind} in folders: name one, {names}'


def _name(checkpoint: Mapping[str, Any], path: Path) -> str:
    """Return the config's name, from the experiment's."""
    name = TIMESTAMP.sub('', str(checkpoint['meta'].get('experiment_name') or path.parent.name))
    return name if name.isprintable() and 0 < len(name) <= 200 and '/' not in name else 'run'


def _length(config: Config) -> tuple[int | None, bool]:
    """Return the epochs of a training and True, or its iterations and False."""
    loop = config.get('train_cfg') or {}
    for key in ('max_epochs', 'max_iters'):
        if isinstance(loop.get(key), int):
            return loop[key], key == 'max_epochs'
    return None, not str(loop.get('type', '')).startswith('Iter')


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
