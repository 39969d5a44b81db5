"""Possible causes of a loss that is not finite, from numbers made by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import nn

from effnet_dense.engine.hooks.diagnosis import diagnose, image_paths, not_finite_parts


def sample(path: str | None, *boxes: list[float]) -> dict[str, Any]:
    named = {} if path is None else {'img_path': path}
    return {**named, 'gt_instances': {'bboxes': torch.tensor(boxes).reshape(-1, 4)}}


def runner(base: int | None) -> Any:
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25)
    return SimpleNamespace(
        model=model,
        optim_wrapper=OptimWrapper(optimizer, accumulative_counts=2),
        cfg=dict(auto_scale_lr=None if base is None else dict(base_batch_size=base)),
        world_size=3,
        _train_dataloader=dict(batch_size=4),
    )


def test_parts_of_the_loss() -> None:
    outputs = dict(loss=torch.tensor(math.nan), loss_cls=1.0, loss_box=math.inf, name='x')
    assert not_finite_parts(outputs) == ' (loss nan, loss_box inf)'
    assert not_finite_parts(dict(loss=1.0)) == not_finite_parts(None) == ''


def test_paths() -> None:
    assert image_paths(dict(data_samples=[sample('a.png'), sample(None)])) == ['a.png', '?']
    assert image_paths(None) == image_paths({}) == []


def test_nothing_but_the_rate_is_known() -> None:
    (line,) = diagnose(runner(None), None, math.nan)
    assert line.startswith('  learning rate 0.25 at 24 images per step: try a tenth of it')


def test_rate_norm_images_and_boxes() -> None:
    batch = dict(
        inputs=[torch.ones(3, 2, 2), torch.full((3, 2, 2), math.inf)],
        data_samples=[
            sample('a.png', [0, 0, 8, 0.5]),
            sample('b.png', [1, 1, 3, 65], [0, 0, 9, 9]),
        ],
    )
    rate, norm, images, boxes = diagnose(runner(8), batch, 12.5)
    assert '24 images per step, which is meant for 8 (--auto-scale-lr scales it)' in rate
    assert norm.endswith('last finite step: 12.5')
    assert images == '  images that are not finite: b.png'
    assert boxes.startswith('  sides of the boxes: 0.5 to 64 pixels;')


def test_weights_are_named_up_to_five() -> None:
    spoilt = runner(None)
    spoilt.model = nn.ParameterList([nn.Parameter(torch.tensor(math.nan)) for _ in range(6)])
    line = list(diagnose(spoilt, None, math.nan))[1]
    assert line == '  weights that are not finite: 0, 1, 2, 3, 4, …'
