"""mmengine's `compile` option: a real training and test of a small EfficientDet-D0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.registry import RUNNERS
from torch import nn

from effnet_dense.engine.compiled import compile_parts
from effnet_dense.engine.config import load_config
from effnet_dense.engine.runner import Runner
from effnet_dense.models import BiFPN, EfficientNet
from tests.helpers.tiny import SIZE, options

EAGER = dict(backend='eager', fullgraph=True)  # a break is an error
TINY = dict(base='b0', width=0.25, depth=0.3)
SMALL = {
    'model.neck.num_cells': 1,
    'model.neck.out_channels': 8,
    'model.bbox_head.in_channels': 8,
    'model.bbox_head.stacked_convs': 1,
    'model.data_preprocessor.pad_size_divisor': SIZE,
    'train_dataloader.dataset.pipeline.2.ratio_range': (0.9, 1.0),
    'report': False,
}


@pytest.fixture(autouse=True)
def _fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def build(data: Path, work_dir: Path, compiled: Any) -> Runner:
    config = load_config('efficientdet_d0_coco', data, options(**SMALL), work_dir)
    config.model.backbone.arch = TINY
    config.model.neck.in_channels = list(EfficientNet(TINY).out_channels)
    config.compile = compiled
    return RUNNERS.build(config)


@pytest.mark.slow
def test_trained_and_tested_as_without(tiny_data: Path, tmp_path: Path) -> None:
    weights, metrics = [], []
    for name, compiled in (('plain', None), ('compiled', EAGER)):
        torch.manual_seed(0)
        runner = build(tiny_data, tmp_path / name, compiled)
        runner.train()
        metrics.append(runner.test())
        weights.append(runner.model.state_dict())
        assert ('forward' in vars(runner.model.backbone)) == (compiled is not None)
    assert weights[0].keys() == weights[1].keys()
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, rtol=1e-3, atol=1e-4, msg=name)
    assert metrics[0].keys() == metrics[1].keys()


def test_parts_are_one_graph_each() -> None:
    """On PyTorch 2.6 as well, which lacks parts of Python: tools/environment.sh torch2.6."""
    model = nn.Module()
    model.backbone = EfficientNet(TINY, out_indices=(0, 1))
    model.neck = BiFPN(list(model.backbone.out_channels[:2]), 8, num_outs=2, num_cells=1)
    x = torch.randn(2, 3, SIZE, SIZE)
    expected = model.train().neck(model.backbone(x))
    compile_parts(model, **EAGER)
    for found, right in zip(model.neck(model.backbone(x)), expected, strict=True):
        torch.testing.assert_close(found, right)


def test_a_switch_and_options(tiny_data: Path, tmp_path: Path) -> None:
    runner = build(tiny_data, tmp_path, False)
    runner._maybe_compile('train_step')
    assert 'forward' not in vars(runner.model.backbone)
    runner.cfg.compile = 'yes'
    with pytest.raises(ValueError, match="compile must be true, false or a dict, got 'yes'"):
        runner._maybe_compile('train_step')


def test_parts_once() -> None:
    model = nn.Module()
    model.backbone, model.neck = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)
    assert compile_parts(model, **EAGER) == ['backbone', 'neck']
    kept = model.neck.forward
    compile_parts(model, **EAGER)
    assert model.neck.forward is kept
