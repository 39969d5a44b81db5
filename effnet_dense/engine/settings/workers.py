"""`--workers N`: the processes that load images."""

from __future__ import annotations

from mmengine.config import Config

from effnet_dense.engine.settings.notes import refusal

OF_PROCESSES = ('prefetch_factor', 'multiprocessing_context', 'timeout')
"""Arguments of data loaders that require processes."""


def set_workers(config: Config, workers: int) -> None:
    """Set the processes that load images for each device, in all data loaders.

    Args:
        config: Changed in place.
        workers: 0 loads them in the training's own process.

    Raises:
        ValueError: The config has no data loader.
    """
    names = [f'{loop}_dataloader' for loop in ('train', 'val', 'test')]
    loaders = [config[name] for name in names if config.get(name)]
    if not loaders:
        raise refusal(
            f'--workers {workers}', f'the config has none of {", ".join(names)}', 'leave it out'
        )
    for loader in loaders:
        if not workers:
            loader.persistent_workers = False
            for name in OF_PROCESSES:
                loader.pop(name, None)
        elif not loader.get('num_workers'):
            loader.persistent_workers = True
        loader.num_workers = workers
