"""An argument that is written out with its default value is no change."""

from __future__ import annotations

from typing import Any

import pytest
from mmengine.registry import init_default_scope

from effnet_dense.engine.resume.config_changes import config_changes
from effnet_dense.engine.resume.config_defaults import is_default


@pytest.mark.parametrize(
    ('part', 'name', 'value', 'expected'),
    [
        ('backbone', 'padding', 'same', True),
        ('backbone', 'padding', 'symmetric', False),
        ('backbone', 'out_indices', [3, 4, 5], True),
        ('backbone', 'unknown', 1, False),
        ('bbox_head', 'stacked_convs', 4, True),  # of mmdet's RetinaHead, where it is defined
        ('bbox_head', 'stacked_convs', 3, False),
        ('neck', 'a', 1, False),  # without a type
    ],
)
def test_defaults(part: str, name: str, value: Any, expected: bool) -> None:
    init_default_scope('mmdet')
    model: dict[str, Any] = dict(
        backbone=dict(type='effnet_dense.EfficientNet'),
        bbox_head=dict(type='RetinaHead'),
        neck={'x': 1},
    )
    saved, current = dict(model=model), dict(model={**model, part: {**model[part], name: value}})
    for one, other in ((saved, current), (current, saved)):
        (change,) = config_changes(one, other)
        assert is_default(change, one, other, 'mmdet') is expected
