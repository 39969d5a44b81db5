"""`--batch-size N|auto`: images per step on one device, and the learning rate that fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from mmengine.config import Config

from effnet_dense.engine.settings.free_memory import FreeMemory, free_memory
from effnet_dense.engine.settings.images_per_step import (
    base_batch_size,
    images_per_step,
    mean_rate_for,
)
from effnet_dense.engine.settings.notes import note, refusal
from effnet_dense.engine.settings.rate import learning_rate, scale_rate
from effnet_dense.engine.settings.training_images import count_training_images
from effnet_dense.registry import FUNCTIONS
from effnet_dense.settings import AUTO
from effnet_dense.utils.counted import counted

STEPS_PER_EPOCH = 10
"""Least steps of an epoch for which 'auto' makes a batch larger than the config's."""
MOST = 1024
"""Largest batch that 'auto' chooses."""


def set_batch_size(
    config: Config, batch_size: int | Literal['auto'], keep_rate: bool = False
) -> None:
    """Set the images per step on one device, and scale the learning rate linearly with them.

    The rate is scaled as `--auto-scale-lr` does it, for each optimizer: from the images per step
    that the config's rate is meant for (`auto_scale_lr.base_batch_size`), else from the config's
    own batch size. Gradient accumulation stays.

    Args:
        config: Changed in place.
        batch_size: Images per step and device, or 'auto' for the largest that fits.
        keep_rate: Leave the learning rate, which is given.

    Raises:
        ValueError: The config has no training data, or not exactly one optimizer.
    """
    flag = f'--batch-size {batch_size}'
    loader = config.get('train_dataloader')
    if not loader:
        raise refusal(
            flag, 'the config has no train_dataloader, it does not train', 'use another config'
        )
    rate, before = learning_rate(config, flag), images_per_step(config)
    size = largest_batch_size(config, flag) if batch_size == AUTO else int(batch_size)
    loader.batch_size = size
    sampler: Any = loader.get('sampler') or {}
    if 'batch_size' in sampler:  # of samplers that fill batches from several sources
        sampler.batch_size = size
    base, after = base_batch_size(config) or before, images_per_step(config)
    if not keep_rate:
        scale_rate(config, after / base)
    mean_rate_for(config, after)
    if keep_rate or after == base:
        note(f'{flag}: {counted(after, "image")} per step')
    else:
        note(
            f'{flag}: {counted(after, "image")} per step; the learning rate {rate:g}, which is '
            f'meant for {base}, is scaled linearly to {config.optim_wrapper.optimizer.lr:g}'
        )


def largest_batch_size(config: Config, flag: str) -> int:
    """Return the largest batch whose predicted memory fits, within limits by the data.

    An epoch keeps `STEPS_PER_EPOCH` steps, unless the config's own batch has fewer. On a CPU, where
    larger batches are not faster, the config's batch size is the limit.

    Raises:
        ValueError: Not even one image fits, or the memory cannot be predicted.
    """
    memory = free_memory(config)
    own = config.train_dataloader.get('batch_size') or 1
    most = limit(own, count_training_images(config), memory.gpu)
    find: Callable[..., int] | Any = FUNCTIONS.get('effnet_dense.largest_batch_within')
    size = find(config, memory.usable, most, memory.gpu)
    if size < 1:
        raise refusal(
            flag,
            f'not even one image per step is predicted to fit into {_gib(memory)}',
            'write a smaller --image-size or model, --lean 2, or --precision bf16',
        )
    reason = f'the limit for this data, {most},' if size == most else 'the largest that'
    note(f'{flag}: {counted(size, "image")} per step, {reason} fits into {_gib(memory)}')
    return size


def limit(own: int, images: int | None, gpu: bool) -> int:
    """Return the largest batch that 'auto' considers.

    Args:
        own: The config's batch size.
        images: Images of an epoch; None if unknown.
        gpu: Whether the training runs on a GPU.
    """
    if images is not None:
        own = min(own, max(images, 1))
    if not gpu:
        return own
    return max(own, MOST if images is None else min(images // STEPS_PER_EPOCH, MOST))


def _gib(memory: FreeMemory) -> str:
    gib = 2**30
    return (
        f'{memory.usable / gib:.1f} GiB, of {memory.free / gib:.1f} GiB free on the {memory.where}'
    )
