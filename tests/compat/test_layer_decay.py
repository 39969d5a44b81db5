"""Layer-wise learning rates of mmdet's and mmseg's constructors on our backbone."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from mmdet.engine.optimizers import LearningRateDecayOptimizerConstructor as OfMmdet
from mmengine.model import BaseModule
from mmseg.engine.optimizers import LearningRateDecayOptimizerConstructor as OfMmseg
from torch import nn

from effnet_dense import EfficientNet
from effnet_dense.compat.layer_decay import layer_id

BLOCKS = [0, 1, 2, 2, 6, 5, 0]  # B0's, of the stem, five strides and the head


class Model(BaseModule):
    """A backbone, narrow and short, and a head."""

    def __init__(self, backbone: nn.Module | None = None) -> None:
        super().__init__()
        tiny = dict(base='b0', width=0.25, depth=0.5)
        self.backbone = backbone or EfficientNet(tiny, out_indices=(3, 6))
        self.head = nn.Conv2d(4, 2, 1)


def groups(constructor: Any, **settings: Any) -> list[dict[str, Any]]:
    optimizer = dict(type='AdamW', lr=0.1, weight_decay=0.05)
    wrapper = dict(type='OptimWrapper', optimizer=optimizer)
    built = constructor(wrapper, settings)(Model())
    return built.optimizer.param_groups  # type: ignore[no-any-return]


@pytest.mark.parametrize('constructor', [OfMmdet, OfMmseg], ids=['mmdet', 'mmseg'])
@pytest.mark.parametrize('kind', ['layer_wise', 'stage_wise'])
def test_rates_grow_towards_the_head(constructor: Any, kind: str) -> None:
    found = groups(constructor, decay_rate=0.5, num_layers=5, decay_type=kind)
    rates = {name: group['lr'] for group in found for name in group['param_names']}
    assert set(rates) == {name for name, _ in Model().named_parameters()}
    assert rates['head.weight'] == 0.1
    assert rates['backbone.layers.0.conv.weight'] == pytest.approx(0.1 * 0.5**6)
    ordered = [rate for name, rate in rates.items() if name.endswith('conv.weight')]
    assert all(a <= b for a, b in pairwise(sorted(ordered)))
    decays = {g['weight_decay'] for g in found if 'head.bias' in g['param_names']}
    assert decays == {0.0}


@pytest.mark.parametrize(
    ('name', 'steps', 'stage_wise', 'expected'),
    [
        ('neck.weight', 12, False, 13),
        ('backbone.layers.0.conv.weight', 12, False, 0),
        ('backbone.layers.1.0.x', 16, False, 1),
        ('backbone.layers.5.4.x', 16, False, 16),
        ('backbone.layers.4.0.x', 16, False, 6),
        ('backbone.layers.5.4.x', 4, False, 4),
        ('backbone.layers.3.1.x', 5, True, 3),
        ('backbone.layers.5.0.x', 4, True, 4),
        ('backbone.layers.6.conv.weight', 4, True, 4),
    ],
)
def test_layer_id(name: str, steps: int, stage_wise: bool, expected: int) -> None:
    assert layer_id(name, BLOCKS, steps, stage_wise) == expected


@pytest.mark.parametrize(
    'settings',
    [dict(decay_rate=0.5), dict(num_layers=5), dict(decay_rate=0.5, num_layers=5, decay_type='x')],
)
def test_impossible_settings(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match='expected'):
        groups(OfMmdet, **settings)


def test_other_backbones_are_served_as_before() -> None:
    wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.1))
    with pytest.raises(NotImplementedError):
        OfMmdet(wrapper, dict(decay_rate=0.5, num_layers=5))(Model(nn.Conv2d(3, 4, 1)))
