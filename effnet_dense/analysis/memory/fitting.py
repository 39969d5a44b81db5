"""Find the largest batch whose predicted peak fits into a memory, for `--batch-size auto`."""

from __future__ import annotations

from dataclasses import replace

from mmengine.config import Config

from effnet_dense.analysis.memory.peak import largest_batch, predict_peak, training_setup
from effnet_dense.registry import FUNCTIONS


@FUNCTIONS.register_module()
def largest_batch_within(config: Config, limit: int, most: int, gpu: bool = True) -> int:
    """Return the largest batch, up to `most`, whose predicted peak is within a limit.

    Args:
        config: Of a detector or segmentor, in the precision and with the lean level that it trains.
        limit: Bytes for tensors.
        most: Largest batch that is considered.
        gpu: Whether the training runs on a GPU.

    Returns:
        0 if not even one image fits.

    Raises:
        ValueError: The memory cannot be predicted, see `predict_peak`.
    """
    setup = training_setup(config, batch_size=1)

    def predict(images: int) -> int:
        return predict_peak(config, replace(setup, batch_size=images), gpu).total

    if predict(most) <= limit:
        return most
    return min(largest_batch(predict, limit), most)
