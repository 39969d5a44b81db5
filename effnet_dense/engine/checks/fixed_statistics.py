"""Find norms that normalise by statistics that were neither loaded nor will be learnt."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def check_fixed_statistics(model: nn.Module) -> None:
    """Check that batch norms in evaluation mode during training have statistics.

    Args:
        model: With its first weights; is put into training mode, as loops do.

    Raises:
        ValueError: Names the module, and what to write.
    """
    model.train()
    fixed = [
        name
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm) and not module.training and _is_initial(module)
    ]
    if fixed:
        part = '.'.join(fixed[0].split('.')[:1])
        raise ValueError(
            f'model.{part} has no trained weights, but fixes the statistics of {len(fixed)} norms '
            f'({fixed[0]}, …) at 0 and 1: write model.{part}.norm_eval=False '
            f'model.{part}.frozen_stages=-1 to train them, or name weights in '
            f'model.{part}.init_cfg or load_from'
        )


def _is_initial(norm: _BatchNorm) -> bool:
    mean, variance = norm.running_mean, norm.running_var
    return (
        mean is not None
        and variance is not None
        and not bool(mean.any())
        and bool((variance == 1).all())
    )
