"""Is the learning rate meant for the images that a step of this run has?"""

from __future__ import annotations

from typing import Any

from mmengine.optim import OptimWrapperDict
from torch.utils.data import DataLoader


def images_of_a_step(runner: Any) -> int:
    """Images of an optimizer's step: batch size × processes × accumulated batches."""
    loader = runner._train_dataloader
    batch = loader.batch_size if isinstance(loader, DataLoader) else loader['batch_size']
    return (batch or 1) * runner.world_size * accumulated(runner.optim_wrapper)


def accumulated(optim_wrapper: Any) -> int:
    """Batches of an optimizer's step; 1 for wrappers of another kind."""
    return getattr(optim_wrapper, '_accumulative_counts', 1)


def param_groups(optim_wrapper: Any) -> list[dict[str, Any]]:
    """The groups of an optimizer, or of several."""
    several = isinstance(optim_wrapper, OptimWrapperDict)
    wrappers = optim_wrapper.values() if several else [optim_wrapper]
    return [group for wrapper in wrappers for group in wrapper.optimizer.param_groups]


def batch_size_note(runner: Any, optim_wrapper: Any) -> str:
    """A line, if the learning rate is meant for another number of images a step; else ''.

    Args:
        runner: Its `auto_scale_lr` tells for how many images the rate is meant.
        optim_wrapper: With the rate, not scaled.
    """
    setting = runner.auto_scale_lr or {}
    base, images = setting.get('base_batch_size'), images_of_a_step(runner)
    if not base or base == images or setting.get('enable'):
        return ''
    rate = max(group['lr'] for group in param_groups(optim_wrapper))
    return (
        f'the learning rate {rate:.6g} is meant for {base} images a step, this run has {images}: '
        f'--auto-scale-lr would make it {rate * images / base:.6g}'
    )
