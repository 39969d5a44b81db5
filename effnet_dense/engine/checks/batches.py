"""Check that a data loader's images make batches, and that an evaluation gets all of them."""

from __future__ import annotations

import copy
from typing import Any

from mmdet.datasets.samplers import AspectRatioBatchSampler
from mmengine.dist import get_world_size
from torch.utils.data import DataLoader

from effnet_dense.data.seeding import sampler_of
from effnet_dense.utils.counted import counted


def check_training_batches(loader: DataLoader) -> None:
    """Check that an epoch of the training has a step.

    Raises:
        ValueError: The dataset is empty, or `drop_last` drops the only batch; names both sizes.
    """
    images = _length(loader.dataset)
    if images == 0:
        raise ValueError(
            'train_dataloader has no images: its dataset is empty, or its filter_cfg leaves out all'
        )
    # Endless samplers begin again before a batch is full.
    if hasattr(sampler_of(loader), '_infinite_indices') or _has_batch(loader):
        return
    size = getattr(loader.batch_sampler, 'batch_size', loader.batch_size)
    world = get_world_size()
    share = f', {_length(sampler_of(loader))} for each of {world} processes,' if world > 1 else ''
    groups = (
        ' of equal aspect (portrait or landscape)'
        if isinstance(loader.batch_sampler, AspectRatioBatchSampler)
        else ''
    )
    raise ValueError(
        f'train_dataloader has {counted(images or 0, "image")}{share} and drop_last=True, which '
        'leaves no batch of '
        f'{size}{groups}: write train_dataloader.batch_size below that, or '
        'train_dataloader.drop_last=False'
    )


def unfilled_batch_warning(loader: DataLoader) -> str:
    """Return one line if a training's images do not fill one batch, else ''."""
    size = getattr(loader.batch_sampler, 'batch_size', loader.batch_size)
    if hasattr(sampler_of(loader), '_infinite_indices') or not size:
        return ''
    images = _length(sampler_of(loader))
    if images is None or images >= size:
        return ''
    found = counted(images, 'image')
    return f'train_dataloader.batch_size={size}: an epoch has {found}, which do not fill one batch'


def check_evaluated_batches(key: str, loader: DataLoader) -> None:
    """Check that an evaluation leaves out no images.

    Raises:
        ValueError: `drop_last` drops a batch that is not full.
    """
    batches: Any = loader.batch_sampler
    count, size = _length(sampler_of(loader)), getattr(batches, 'batch_size', None)
    if getattr(batches, 'drop_last', False) and count and size and count % size:
        raise ValueError(
            f'{key}.drop_last=True would leave {count % size} of {counted(count, "image")} out '
            'of the '
            f'evaluation: write {key}.drop_last=False'
        )


def _has_batch(loader: DataLoader) -> bool:
    count = _length(loader)
    batches: Any = loader.batch_sampler
    if count != 1 or type(batches) is not AspectRatioBatchSampler or not batches.drop_last:
        return count != 0
    # Its length counts images of both aspects together.
    batches = copy.copy(batches)
    batches._aspect_ratio_buckets = [[], []]
    return next(iter(batches), None) is not None


def _length(sized: Any) -> int | None:
    """Return a length; None of what has none."""
    try:
        return len(sized)
    except (NotImplementedError, TypeError):
        return None
