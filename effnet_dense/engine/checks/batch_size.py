"""Compare a run's batch size with the one that its learning rate is meant for."""

from __future__ import annotations

from typing import Any

from mmengine.optim import OptimWrapperDict
from torch.utils.data import DataLoader

from effnet_dense.utils.counted import counted


def images_per_step(runner: Any) -> int:
    """Return the images per optimizer step: batch size × processes × accumulated batches."""
    loader = runner._train_dataloader
    batch = loader.batch_size if isinstance(loader, DataLoader) else loader['batch_size']
    return (batch or 1) * runner.world_size * accumulated_batches(runner.optim_wrapper)


def accumulated_batches(optim_wrapper: Any) -> int:
    """Return the batches per optimizer step; 1 for wrappers without gradient accumulation."""
    return getattr(optim_wrapper, '_accumulative_counts', 1)


def param_groups(optim_wrapper: Any) -> list[dict[str, Any]]:
    """Return the parameter groups of one optimizer or of several."""
    several = isinstance(optim_wrapper, OptimWrapperDict)
    wrappers = optim_wrapper.values() if several else [optim_wrapper]
    return [group for wrapper in wrappers for group in wrapper.optimizer.param_groups]


def batch_size_warning(runner: Any, optim_wrapper: Any) -> str:
    """Return one line if the learning rate is meant for another batch size, else ''.

    Args:
        runner: Has `auto_scale_lr`, with the batch size that the rate is meant for.
        optim_wrapper: Has the rate, before any scaling.
    """
    setting = runner.auto_scale_lr or {}
    base, images = setting.get('base_batch_size'), images_per_step(runner)
    if not base or base == images or setting.get('enable'):
        return ''
    rate = max(group['lr'] for group in param_groups(optim_wrapper))
    return (
        f'the learning rate {rate:.6g} is meant for {counted(base, "image")} per step, this run '
        'has '
        f'{images}: --auto-scale-lr would make it {rate * images / base:.6g}'
    )


def accumulation_warning(iterations: int, optim_wrapper: Any) -> str:
    """Return one line if a training is shorter than its first step of the optimizer, else ''.

    Args:
        iterations: Of the training.
        optim_wrapper: Has the number of batches whose gradients are added up.
    """
    batches = accumulated_batches(optim_wrapper)
    if batches <= iterations:
        return ''
    return (
        f'optim_wrapper.accumulative_counts={batches} adds up more batches than the training has '
        f'({iterations}): the weights change once, at its end'
    )
