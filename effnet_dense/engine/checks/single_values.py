"""Say what to do where a batch norm in training gets one value per channel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.utils.data import DataLoader

from effnet_dense.utils.counted import counted

OF_TORCH = 'Expected more than 1 value per channel when training'


@contextmanager
def single_values(runner: Any) -> Iterator[None]:
    """Name batch size and images in PyTorch's error: it has neither.

    One image whose features are one pixel large is enough, such as the last of an epoch.

    Raises:
        ValueError: In place of PyTorch's.
    """
    try:
        yield
    except ValueError as error:
        if OF_TORCH not in str(error):
            raise
        raise ValueError(_advice(runner.train_dataloader)) from error


def _advice(loader: DataLoader) -> str:
    size = getattr(loader.batch_sampler, 'batch_size', loader.batch_size) or 1
    images = len(loader.dataset)  # type: ignore[arg-type]
    text = (
        f'a batch of one image left a batch norm one value per channel: train_dataloader has '
        f'{counted(images, "image")} and batch_size={size}; '
    )
    if images > 1 and size > 1:
        return f'{text}write train_dataloader.drop_last=True, or a batch_size that divides {images}'
    if images > 1:
        return f'{text}write train_dataloader.batch_size of at least 2, or train on larger images'
    return f'{text}train on more images or on a larger one, or repeat it (RepeatDataset)'
