"""Resume a training loop at a checkpoint's position in the data, with its random states."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.runner import EpochBasedTrainLoop

from effnet_dense.engine.resume.batches import images_per_iteration, reseed
from effnet_dense.engine.resume.progress import Position, own_random_state, restore_gradients
from effnet_dense.utils.counted import counted


def restore_progress(runner: Any, meta: Mapping[str, Any]) -> None:
    """Make a runner's training loop start after a checkpoint's last batch.

    Args:
        runner: A runner that has loaded the checkpoint; its training loop is a
            `loops.ResumableLoop`.
        meta: The checkpoint's `meta`. One written by mmengine has no progress; the position
            follows from its counters.
    """
    loop = runner.train_loop
    reseed(loop.dataloader, runner.seed)
    images = images_per_iteration(loop.dataloader)
    progress = meta.get('progress')
    if progress is None:
        loop.start_from(loop.position_from_counters(images), None)
        return
    saved = Position(**progress['position'])
    random = own_random_state(progress['random'])
    if (saved.images and saved.images != images) or random is None:
        runner.logger.warning(
            f'the checkpoint was written with {counted(saved.images, "image")} per iteration in '
            f'{counted(len(progress["random"]), "process")}, this run has {images} in '
            f'{runner.world_size}: it resumes at the same position in the data, but differs from '
            'an uninterrupted run'
        )
    loop.start_from(saved.with_images(images), random)
    restore_gradients(runner.model, progress['gradients'])


def is_validated(loop: Any, folder: str | Path) -> bool:
    """Whether a finished run has its last validation, if one is due.

    The last checkpoint does not know: it is written before.

    Args:
        loop: The resumed training loop.
        folder: The work folder.
    """
    step = loop.epoch if isinstance(loop, EpochBasedTrainLoop) else loop.iter
    if loop.val_begin > step:
        return True
    for path in sorted(Path(folder).glob('*/vis_data/scalars.json'), reverse=True):
        lines = path.read_text(encoding='utf-8', errors='replace').splitlines()
        if not lines:
            continue  # of a run that did nothing
        try:
            row = json.loads(lines[-1])
        except (ValueError, RecursionError):
            return False
        return isinstance(row, dict) and 'lr' not in row and row.get('step') == step
    return False


def finished(loop: Any, folder: str | Path) -> str:
    """Return a line if a resumed training loop has nothing left to do, else ''.

    Args:
        loop: The loop.
        folder: The work folder.
    """
    unit, done, end = 'iterations', loop.iter, loop.max_iters
    if isinstance(loop, EpochBasedTrainLoop):
        unit, done, end = 'epochs', loop.epoch, loop.max_epochs
    if done < end:
        return ''
    key = 'max_epochs' if unit == 'epochs' else 'max_iters'
    return (
        f'the run is finished, nothing is left to train: the checkpoint has {done} {unit}, '
        f'train_cfg.{key} is {end}; to train longer: '
        f'effnet-dense train CONFIG --from {folder} --{unit} N --work-dir NEW'
    )
