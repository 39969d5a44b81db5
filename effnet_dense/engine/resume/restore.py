"""Going on from a checkpoint: where in the data, with which random states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.dataset import InfiniteSampler

from effnet_dense.engine.loops import EpochBasedTrainLoop
from effnet_dense.engine.resume.batches import images_a_step, reseed, sampler_of
from effnet_dense.engine.resume.state import Position, my_random_state, restore_gradients


def go_on(runner: Any, meta: Mapping[str, Any]) -> None:
    """Let a runner's train loop begin behind a checkpoint's last batch.

    Args:
        runner: Has loaded the checkpoint; its loop is one of ours.
        meta: The checkpoint's; one of mmengine's own tells the position by its counters alone.
    """
    loop = runner.train_loop
    reseed(loop.dataloader, runner.seed)
    images = images_a_step(loop.dataloader)
    progress = meta.get('progress')
    if progress is None:
        loop.continue_from(Position(images=images, **_by_counters(loop)), None)
        return
    saved = Position(**progress['position'])
    random = my_random_state(progress['random'])
    if (saved.images and saved.images != images) or random is None:
        runner.logger.warning(
            f'the checkpoint was made with {saved.images} images a step in '
            f'{len(progress["random"])} processes, now it is {images} in {runner.world_size}: '
            'going on at the same place in the data, but not exactly as without a stop'
        )
    loop.continue_from(saved.in_steps_of(images), random)
    restore_gradients(runner.model, progress['gradients'])


def _by_counters(loop: Any) -> dict[str, Any]:
    """Where a checkpoint of mmengine's stands: its loops number batches from the start."""
    length = len(loop.dataloader)
    if isinstance(loop, EpochBasedTrainLoop):
        done = loop.iter - loop.epoch * length
        return dict(batch=done if 0 < done <= length else 0)
    if isinstance(sampler_of(loop.dataloader), InfiniteSampler):
        return dict(batch=loop.iter)
    epoch, batch = divmod(loop.iter, length)
    return dict(epoch=epoch, batch=batch)
