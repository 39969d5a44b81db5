"""Models out of their wrappers."""

from __future__ import annotations

from mmengine.model import BaseTTAModel, ExponentialMovingAverage
from torch import nn

from effnet_dense.utils.wrappers import innermost_model, unwrap_model


class Augmented(BaseTTAModel):
    def __init__(self, module: nn.Module) -> None:
        nn.Module.__init__(self)
        self.module = module

    def merge_preds(self, data_samples_list: list[list]) -> list:
        return []


def test_distributed_wrappers_alone() -> None:
    model = nn.Linear(2, 2)
    assert unwrap_model(model) is model
    assert unwrap_model(nn.DataParallel(nn.DataParallel(model))) is model
    augmented = Augmented(model)
    assert unwrap_model(nn.DataParallel(augmented)) is augmented


def test_innermost() -> None:
    model = nn.Linear(2, 2)
    assert innermost_model(model) is model
    assert innermost_model(nn.DataParallel(Augmented(nn.DataParallel(model)))) is model
    averaged = ExponentialMovingAverage(model)
    assert innermost_model(averaged) is averaged.module


def test_a_model_with_a_part_called_module_is_none() -> None:
    model = nn.Sequential()
    model.module = nn.Linear(2, 2)
    assert unwrap_model(model) is model and innermost_model(model) is model
