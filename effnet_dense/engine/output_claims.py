"""Check what a config's metrics, hooks and visualizer write, and list it as the run's own."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from effnet_dense.engine.config_outputs import Output, config_outputs
from effnet_dense.engine.outputs import check_images, data_folders, image_paths, run_inputs
from effnet_dense.utils.output_folders import check_file, check_folder
from effnet_dense.utils.outputs import (
    check_free,
    check_not_read,
    check_outside,
    claim,
    record,
)


def check_config_outputs(config: Any, loops: Sequence[str]) -> list[Output]:
    """Check the outputs that a config names, before anything is built or written.

    Args:
        config: As it will run.
        loops: Those that will run, of 'train', 'val' and 'test'.

    Returns:
        The outputs.

    Raises:
        FileExistsError: One exists, and the package did not write it, or it would be deleted.
        OSError: One cannot be written.
        ValueError: One is read by the run, or lies among the files of a dataset.
    """
    outputs = config_outputs(config, loops)
    if outputs:
        folders = set(data_folders(config, loops or ('train', 'val', 'test')))
        inputs = list(run_inputs(config, loops or ('train', 'val', 'test')))
        for output in outputs:
            with _naming(output.key):
                _check(output, folders, inputs)
    return outputs


def _check(output: Output, data: set[str], inputs: Sequence[str]) -> None:
    check_folder(output.folder)
    check_outside(output.folder, data)
    if output.kind == 'file':
        check_file(output.path)
        check_not_read([output.path], inputs)
        check_free([output.path])
    if output.kind == 'scratch' and output.path.is_dir() and any(output.path.iterdir()):
        raise FileExistsError(
            f'{output.path} is not empty, and would be deleted with all that it holds: choose '
            'another folder, or of mmseg’s CityscapesMetric set keep_results=True'
        )


@contextmanager
def _naming(key: str) -> Iterator[None]:
    """Name the config's entry in errors of the block."""
    try:
        yield
    except (OSError, ValueError) as error:
        kinds = (FileExistsError, OSError, ValueError)
        kind = next(kind for kind in kinds if isinstance(error, kind))
        raise kind(f'{key}: {error}') from error


@contextmanager
def claimed_outputs(runner: Runner, loops: Sequence[str]) -> Iterator[None]:
    """Check and claim the config's outputs, and record what was written when the block ends.

    Raises:
        FileExistsError, OSError, ValueError: See `check_config_outputs`.
    """
    outputs = check_config_outputs(runner.cfg, loops)
    hook = next((each for each in runner.hooks if isinstance(each, ImageOutputsHook)), None)
    if hook is not None:
        hook.outputs = [each for each in outputs if each.kind in ('maps', 'drawings')]
        hook.claimed = []
    files = [output.path for output in outputs if output.kind == 'file']
    if is_main_process():
        for file in files:
            claim(file)
    try:
        yield
    finally:
        for file in (*files, *(hook.claimed if hook else ())) if is_main_process() else ():
            with suppress(OSError):  # its folder is gone, or the disk is full
                record(file)


class ImageOutputsHook(Hook):
    """Checks and claims files that metrics and mmdet's hooks name after images.

    They take the images' bare names, so that a/1.png would replace b/1.png.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self.outputs: list[Output] = []
        self.claimed: list[Path] = []

    def before_train(self, runner: Runner) -> None:
        """Check the files of the validations, before the first step.

        Raises:
            FileExistsError, ValueError: They would replace other files, or each other.
        """
        if isinstance(runner._val_loop, BaseLoop):
            self._claim('val', runner.val_dataloader.dataset)

    def before_val(self, runner: Runner) -> None:
        """Check the files of a validation without training."""
        if not isinstance(runner._train_loop, BaseLoop):
            self._claim('val', runner.val_dataloader.dataset)

    def before_test(self, runner: Runner) -> None:
        """Check the files of a test."""
        self._claim('test', runner.test_dataloader.dataset)

    def _claim(self, loop: str, dataset: Any) -> None:
        for output in self.outputs:
            if not output.key.startswith(f'{loop}_evaluator') and output.kind == 'maps':
                continue
            if output.kind == 'drawings' and loop != 'test':
                continue
            with _naming(output.key):
                files = _files(output, dataset)
                check_images(files, dataset)
            if is_main_process():
                self.claimed += [claim(file) for file in files]


def _files(output: Output, dataset: Any) -> list[Path]:
    """Return the files that are named after the images of a dataset."""
    if output.kind == 'maps':
        names = Counter(f'{Path(path).stem}.png' for path in image_paths(dataset))
    else:
        names = Counter(os.path.basename(path) for path in image_paths(dataset))
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ValueError(
            f'files are named after images without their folders, and {len(twice)} names occur '
            f'more than once: {", ".join(twice[:3])}'
        )
    return [output.path / name for name in names]
