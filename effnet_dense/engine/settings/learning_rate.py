"""`--lr R`: the learning rate."""

from __future__ import annotations

import math

from mmengine.config import Config

from effnet_dense.engine.settings.images_per_step import images_per_step, mean_rate_for
from effnet_dense.engine.settings.notes import UNCHANGED, note, refusal
from effnet_dense.engine.settings.rate import learning_rate, scale_rate


def set_learning_rate(config: Config, rate: float) -> None:
    """Set the optimizer's learning rate.

    Rates at which schedules end or peak scale with it. The rate is that of this run's images per
    step: `--auto-scale-lr` and the warning on another batch size leave it.

    Args:
        config: Changed in place.
        rate: Above 0.

    Raises:
        ValueError: The rate is not above 0, or the config has not exactly one optimizer.
    """
    flag = f'--lr {rate:g}'
    if not 0 < rate < math.inf:
        raise refusal(flag, 'expected a number above 0', 'write another rate')
    before = learning_rate(config, flag)
    scale_rate(config, rate / before)
    config.optim_wrapper.optimizer.lr = float(rate)
    mean_rate_for(config, images_per_step(config))
    changed = f'the learning rate is {rate:g} in place of {before:g}'
    note(f'{flag}: {UNCHANGED if math.isclose(rate, before) else changed}')
