"""`--seed N`: the seed of weights, order and augmentation."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config

from effnet_dense.engine.settings.notes import refusal

LARGEST = 2**32 - 1
"""numpy's largest seed."""


def set_seed(config: Config, seed: int) -> None:
    """Set the seed of the run, and of samplers that have their own.

    Args:
        config: Changed in place.
        seed: From 0 to 4294967295.

    Raises:
        ValueError: The seed is too large.
    """
    if seed > LARGEST:
        raise refusal(f'--seed {seed}', f'seeds are at most {LARGEST}', 'write a smaller one')
    config.randomness = {**(config.get('randomness') or {}), 'seed': seed}
    for loop in ('train', 'val', 'test'):
        sampler: Any = (config.get(f'{loop}_dataloader') or {}).get('sampler') or {}
        if sampler.get('seed') is not None:
            sampler.seed = seed
