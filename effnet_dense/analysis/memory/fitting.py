"""Find the largest batch whose predicted peak fits into a memory, for `--batch-size auto`."""

from __future__ import annotations

import functools
from dataclasses import replace

from mmengine.config import Config

from effnet_dense.analysis.memory.peak import largest_batch, predict_peak, training_setup
from effnet_dense.registry import FUNCTIONS

ONE_VALUE = 'more than 1 value per channel'
"""Part of torch's error where batch norm gets one value, as in a batch of one small image."""


@FUNCTIONS.register_module()
def largest_batch_within(config: Config, limit: int, most: int, gpu: bool = True) -> int:
    """Return the largest batch, up to `most`, whose predicted peak is within a limit.

    Args:
        config: Of a detector or segmentor, in the precision and with the lean level that it trains.
        limit: Bytes for tensors.
        most: Largest batch that is considered.
        gpu: Whether the training runs on a GPU.

    Returns:
        0 if not even one image fits; where batch norm requires two, those.

    Raises:
        ValueError: The memory cannot be predicted, see `predict_peak`.
    """
    on_cpu = config.optim_wrapper.get('type') == 'CPUAmpOptimWrapper'
    setup = training_setup(config, batch_size=1, precision='bf16' if on_cpu else None)

    @functools.cache
    def predict(images: int) -> int:
        return predict_peak(config, replace(setup, batch_size=images), gpu).total

    def predict_any(images: int) -> int:
        try:
            return predict(images)
        except ValueError as error:
            if images > 1 or ONE_VALUE not in str(error):
                raise
            return predict(2) - 1

    if predict_any(most) <= limit:
        return most
    return min(largest_batch(predict_any, limit), most)
