"""Load the config of a run: a file, a data folder and command line options."""

from __future__ import annotations

import copy
import difflib
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner as MMEngineRunner

from effnet_dense.data import use_data
from effnet_dense.data.coco.config import DATA
from effnet_dense.data.parts import Division
from effnet_dense.data.skipping import SkipBad
from effnet_dense.data.transforms.loading import LOADING
from effnet_dense.engine.checks.option_types import check_kind
from effnet_dense.engine.checks.options import check_option
from effnet_dense.engine.checks.top_level import check_model, check_top_level
from effnet_dense.engine.config_files import read_config
from effnet_dense.engine.cuda_graphs import check_cuda_graphs
from effnet_dense.engine.flags import skip_bad_data
from effnet_dense.engine.input_channels import set_input_channels, set_loader_channels
from effnet_dense.engine.run_folder import check_new, holds_run, is_run, open_run
from effnet_dense.engine.settings import set_after_data, set_before_data
from effnet_dense.engine.settings.device import device_of
from effnet_dense.engine.size_tuples import use_size_tuples
from effnet_dense.settings import Settings
from effnet_dense.utils.nothing_left import nothing_left
from effnet_dense.utils.output_folders import check_folder
from effnet_dense.utils.shipped import shipped_configs

# Top-level keys that are read in addition to the runner's arguments.
READ_BY_RUNNER = {
    'activation_checkpointing',
    'channels_last',
    'compile',
    'cuda_graphs',
    'device',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'load_from_first',
    'load_from_ignore',
    'load_from_rows',
    'max_warm_up',
    'model_wrapper_cfg',
    'reduced_decoding',
    'report',
    'runner_type',
    'sync_bn',
    'tta_model',
    'tta_pipeline',
}

# The runner's arguments that are no entries of a config.
UNREAD = {'cfg'}
# Entries that tools set by a flag → what to write.
FLAGS = {
    'launcher': 'write --launcher',
    'custom_imports': 'it is read only in config files',
}


def find_config(name: str | Path) -> Path:
    """Return the file of a config, given its path or a shipped name, also as 'configs/NAME.py'.

    Raises:
        FileNotFoundError: Neither exists; the message lists similar names.
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
        f'no config file {str(name)!r}; shipped with the package: {", ".join(near)}'
    )


def check_source(name: str | Path) -> None:
    """Check that a name is that of a config, or of a run.

    Raises:
        FileNotFoundError: Neither exists; the message lists similar names of configs.
    """
    if not is_run(name):
        try:
            find_config(name)
        except FileNotFoundError as error:
            if '://' in str(name):
                raise FileNotFoundError(
                    f'{name} names weights: expected the config of their model before them'
                ) from None
            raise FileNotFoundError(
                f'no work folder or checkpoint {str(name)!r}, and {error}'
            ) from None


def load_config(
    name: str | Path | Config,
    data: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    work_dir: str | Path | None = None,
    launcher: str = 'none',
    splits: Sequence[str] = ('train', 'val'),
    skip_bad: float | None = None,
    division: Division | None = None,
    settings: Settings | None = None,
    new: bool = False,
) -> Config:
    """Load a config and apply the options that all tools have.

    Args:
        name: See `find_config`; or a work folder, or a checkpoint, whose own config is taken with
            the data and options of its training: see `open_run`; or a Config, which is not changed.
        data: A folder for `use_data`, or 'demo'; applied before `options`.
        options: Dotted keys and their values, which override everything else.
        work_dir: For checkpoints and logs; by default the config's own, or work_dirs/<its name>.
        launcher: What starts the processes: 'none', 'pytorch' (torchrun), 'slurm' or 'mpi'.
        splits: The splits of `data` that are needed: ('val',) to test.
        skip_bad: Largest share of images, and annotations, that may be broken and are left out;
            by default they are an error.
        division: How `data` with one part is divided into training and validation.
        settings: What changes several places at once, such as epochs; `options` win.
        new: Refuse a work folder that holds a training, and CUDA graphs without a GPU, before the
            data is read.

    Raises:
        FileExistsError: See `check_new`.
        FileNotFoundError: No such config or data folder.
        ValueError: The file is no config, the data has faults, or an option matches nothing.
    """
    path, config = _read(name, resume='train' in splits)
    use_size_tuples(config)
    check_top_level(config)
    check_options(config, options or {})
    config.setdefault('runner_type', 'effnet_dense.Runner')
    # The check of the data loads images as training will.
    loading = {key: value for key, value in (options or {}).items() if _is_loading(key)}
    chosen = settings or Settings()
    config.launcher = launcher
    set_before_data(config, chosen)
    apply_options(config, loading)
    set_loader_channels(config)
    folder = work_dir or (options or {}).get('work_dir') or _work_dir(config, path)
    if new and not (options or {}).get('resume', config.get('resume')):
        check_new(folder)
    if new and (options or {}).get('cuda_graphs', config.get('cuda_graphs')):
        check_cuda_graphs(((options or {}).get('device') or device_of(config)).partition(':')[0])
    if skip_bad is not None or data is not None or chosen.classes:  # they write into it
        check_folder(folder)
    with nothing_left(folder):
        if skip_bad is not None:
            skip_bad_data(config, SkipBad(Path(folder), skip_bad), data, splits, division)
        elif data is not None:
            check_model(config)
            use_data(config, data, splits, scratch=Path(folder, DATA), division=division)
        # The learning rate and the memory depend on the batch that training will have.
        sizes = {k: v for k, v in (options or {}).items() if k == 'train_dataloader.batch_size'}
        apply_options(config, sizes)
        set_after_data(config, chosen, Path(folder, DATA), splits)
        apply_options(config, options or {})
        set_input_channels(config)
        use_size_tuples(config)
        check_top_level(config)
    config.work_dir = _work_dir(config, path) if work_dir is None else str(work_dir)
    return config


def _read(name: str | Path | Config, resume: bool) -> tuple[Path, Config]:
    """Read a config file, or the config of a run; copy a config."""
    if isinstance(name, Config):
        return Path(name.filename or 'config.py'), copy.deepcopy(name)
    path = Path(name)
    if is_run(path) and (path.is_file() or str(name) not in shipped_configs() or holds_run(path)):
        return path, open_run(path, resume).config
    path = find_config(name)
    return path, read_config(path)


def apply_options(config: Config, options: Mapping[str, Any]) -> None:
    """Set `--cfg-options`: dotted keys, in which a number indexes a list.

    Raises:
        ValueError: Nothing reads a key's first part, a later part matches nothing, or the value
            is of another kind than the one that it replaces.
    """
    check_options(config, options)
    for key in options:
        check_kind(config, key, options[key])
        try:
            config.merge_from_dict({key: options[key]})
        except AttributeError as error:  # mmengine merges into a list's dictionaries only
            parent = key.rpartition('.')[0]
            raise ValueError(
                f'--cfg-options {key}={options[key]!r}: {parent} is a list of values, of which '
                f'single ones cannot be set: write all of them, {parent}=[…]'
            ) from error
        except (KeyError, TypeError, IndexError) as error:
            reason = error.args[0] if isinstance(error, KeyError) and error.args else error
            raise ValueError(f'--cfg-options {key}={options[key]!r}: {reason!s:.300}') from error


def check_options(config: Config, options: Mapping[str, Any]) -> None:
    """Check, before anything else changes a config, that something reads the options.

    Raises:
        ValueError: See `check_option`.
    """
    known = {*inspect.signature(MMEngineRunner).parameters, *READ_BY_RUNNER} - UNREAD
    for key in options:
        if key.split('.')[0] in FLAGS:
            raise ValueError(
                f'--cfg-options {key} would change nothing: {FLAGS[key.split(".")[0]]}'
            )
        check_option(config, key, known)


def _is_loading(key: str) -> bool:
    loader = key.partition('.')[0].endswith('_dataloader') and key.rpartition('.')[2] in LOADING
    return loader or key == 'model.backbone.in_channels'


def _work_dir(config: Config, path: Path) -> str:
    return config.get('work_dir') or str(Path('work_dirs') / path.stem)
