"""Batch norms whose statistics are neither loaded nor learnt."""

from __future__ import annotations

import pytest
from torch import nn

from effnet_dense.engine.checks.fixed_statistics import check_fixed_statistics
from effnet_dense.models import EfficientNet


def model(**arguments: bool | int) -> nn.Module:
    """A model with a small backbone of random weights."""
    whole = nn.Module()
    whole.backbone = EfficientNet('lite0', **arguments)
    return whole


def test_random_weights() -> None:
    check_fixed_statistics(model())
    for arguments in ({'norm_eval': True}, {'frozen_stages': 1}):
        with pytest.raises(ValueError, match=r'model\.backbone\.norm_eval=False'):
            check_fixed_statistics(model(**arguments))


def test_loaded_statistics() -> None:
    trained = model(norm_eval=True)
    for module in trained.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.fill_(0.5)
    check_fixed_statistics(trained)
