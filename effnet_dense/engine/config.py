"""A config file, a data folder and command line options → the config of a runner."""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from mmengine.config import Config
from mmengine.runner import Runner as MMEngineRunner

from effnet_dense.data import CocoSource, use_data
from effnet_dense.data.coco import SkipBad
from effnet_dense.data.config_walk import leaf_datasets
from effnet_dense.engine.plain_yaml import plain_yaml

PACKAGE = Path(__file__).resolve().parent.parent
# A wheel carries the configs inside of the package, where `mim` looks; a checkout beside it.
SHIPPED = (PACKAGE / '.mim' / 'configs', PACKAGE.parent / 'configs')

# Top-level keys that are read beside the runner's own arguments.
READ_BY_RUNNER = {
    'activation_checkpointing',
    'channels_last',
    'compile',
    'custom_imports',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'load_from_first',
    'load_from_ignore',
    'model_wrapper_cfg',
    'report',
    'runner_type',
    'sync_bn',
    'tta_model',
    'tta_pipeline',
}


def shipped_configs() -> dict[str, Path]:
    """The leaves that come with the package, by name (without .py)."""
    for folder in SHIPPED:
        leaves = {path.stem: path for path in sorted(folder.glob('*.py'))}
        if leaves:
            return leaves
    return {}


def find_config(name: str | Path) -> Path:
    """The file of a config: a path, or the name of a shipped one, also as 'configs/NAME.py'.

    Raises:
        FileNotFoundError: neither; the message lists names that look alike.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = shipped_configs()
    stem = path.name.removesuffix('.py')
    if stem in shipped and path.parent in (Path('.'), Path('configs')):
        return shipped[stem]
    near = difflib.get_close_matches(stem, shipped, n=3, cutoff=0.4) or sorted(shipped)
    raise FileNotFoundError(
        f'no config file {str(name)!r}; shipped with the package: {_list(near)}'
    )


def load_config(
    name: str | Path,
    data: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    work_dir: str | Path | None = None,
    launcher: str = 'none',
    splits: Sequence[str] = ('train', 'val'),
    skip_bad: float | None = None,
) -> Config:
    """Read a config and apply what every tool offers.

    Args:
        name: See `find_config`.
        data: A folder for `use_data`, or 'demo'; it goes before `options`.
        options: Dotted keys and their values, which win over everything in the file.
        work_dir: For checkpoints and logs; by default the config's own, or work_dirs/<its name>.
        launcher: Who starts the processes: 'none', 'pytorch' (torchrun), 'slurm' or 'mpi'.
        splits: The parts of `data` that are needed: ('val',) to test.
        skip_bad: The share of images, and annotations, that may be broken and are left out; by
            default they are an error.

    Raises:
        FileNotFoundError: no such config or data folder.
        ValueError: the file has a syntax error, the data are not sound, or an option fits nothing.
    """
    path = find_config(name)
    try:
        with plain_yaml():
            config = Config.fromfile(path)
    except (SyntaxError, yaml.YAMLError, json.JSONDecodeError) as error:
        raise ValueError(f'{path} is not a config: {error}') from error
    config.setdefault('runner_type', 'effnet_dense.Runner')
    if skip_bad is not None:
        folder = work_dir or (options or {}).get('work_dir') or _work_dir(config, path)
        skip_bad_data(config, SkipBad(Path(folder), skip_bad), data, splits)
    elif data is not None:
        use_data(config, data, splits)
    apply_options(config, options or {})
    config.launcher = launcher
    if work_dir is not None:
        config.work_dir = str(work_dir)
    else:
        config.work_dir = _work_dir(config, path)
    return config


def _work_dir(config: Config, path: Path) -> str:
    return config.get('work_dir') or str(Path('work_dirs') / path.stem)


def skip_bad_data(
    config: Config, skip: SkipBad, data: str | Path | None, splits: Sequence[str]
) -> None:
    """Leave out what is broken (`--skip-bad`): of `data` before, in any case while training.

    Raises:
        ValueError: the limit is no share, or more of `data` is broken.
    """
    if not 0 < skip.limit <= 1:
        raise ValueError(f'--skip-bad expects a share above 0, up to 1, got {skip.limit}')
    hook = dict(type='effnet_dense.SkipBadHook', limit=skip.limit)
    source = use_data(config, data, splits, skip=skip) if data is not None else None
    if isinstance(source, CocoSource) and 'val' in source.cleaned:
        val = source.cleaned['val']
        hook.update(evaluated=val.images, left_out=len(val.left_out_images))
    config.custom_hooks = [*(config.get('custom_hooks') or []), hook]


def apply_options(config: Config, options: Mapping[str, Any]) -> None:
    """Set `--cfg-options`: dotted keys, where a number indexes a list.

    Raises:
        ValueError: a key's first part is read by nobody, or a later part fits nothing.
    """
    known = {*config, *inspect.signature(MMEngineRunner).parameters, *READ_BY_RUNNER, 'work_dir'}
    for key in options:
        first = key.split('.')[0]
        if first not in known:
            near = difflib.get_close_matches(first, known, n=3) or sorted(config)
            raise ValueError(
                f'--cfg-options {key}: nothing reads {first!r}; did you mean {_list(near)}?'
            )
        try:
            config.merge_from_dict({key: options[key]})
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f'--cfg-options {key}={options[key]!r}: {error}') from error


def use_amp(config: Config) -> None:
    """Train in mixed precision: float16 with loss scaling on a GPU, bfloat16 on the CPU."""
    wrapper = config.optim_wrapper
    wrapper.pop('loss_scale', None)
    if torch.cuda.is_available():
        wrapper.type = 'AmpOptimWrapper'
        wrapper.loss_scale = 'dynamic'
    else:
        wrapper.pop('dtype', None)
        wrapper.type = 'CPUAmpOptimWrapper'


def scale_learning_rate(config: Config) -> None:
    """Scale the learning rate to the images a step of this run (`--auto-scale-lr`).

    Raises:
        ValueError: the config does not say for how many images a step its rate is meant.
    """
    if not config.get('auto_scale_lr', {}).get('base_batch_size'):
        raise ValueError(
            '--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the config, '
            f'got {config.get("auto_scale_lr")}'
        )
    config.auto_scale_lr.enable = True


def resume_from(config: Config, checkpoint: str) -> None:
    """Continue a run: from a checkpoint, or from the work folder's last one ('auto').

    Raises:
        FileNotFoundError: no such checkpoint.
    """
    config.resume = True
    if checkpoint == 'auto':
        config.load_from_first = config.get('load_from')  # if there is nothing to go on from
        config.load_from = None
    else:
        config.load_from = checkpoint
    if checkpoint != 'auto' and not Path(checkpoint).is_file():
        raise FileNotFoundError(f'--resume: no checkpoint {checkpoint!r}')


def augment_tests(config: Config) -> None:
    """Make several pictures of each by the config's `tta_pipeline`, for its `tta_model` (`--tta`).

    Raises:
        ValueError: the config lacks one of the two.
    """
    missing = [key for key in ('tta_model', 'tta_pipeline') if not config.get(key)]
    if missing:
        raise ValueError(
            f'--tta needs {" and ".join(missing)} in the config: such as tta_model='
            "dict(type='SegTTAModel') or DetTTAModel, and a tta_pipeline with TestTimeAug"
        )
    for dataset in leaf_datasets(config.test_dataloader.dataset):
        dataset.pipeline = config.tta_pipeline


def show_in(config: Config, folder: str | Path, count: int | None = None) -> None:
    """Draw test images' predictions, beside their ground truth, into a folder.

    Args:
        count: Images to draw, evenly spread; None for all.
    """
    hooks = config.get('default_hooks') or {}
    pictures = dict(
        type='effnet_dense.PicturesHook',
        folder=str(Path(folder).resolve()),
        count=count,
        score_thr=(hooks.get('visualization') or {}).get('score_thr', 0.3),
    )
    config.default_hooks = {**hooks, 'visualization': pictures}


def _list(names: Iterable[str]) -> str:
    return ', '.join(names)
