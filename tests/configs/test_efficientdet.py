"""The EfficientDet family: the configs' sizes, networks and training recipe."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from mmdet.structures import DetDataSample
from mmengine.optim import build_optim_wrapper
from mmengine.optim.scheduler import CosineAnnealingLR, LinearLR
from mmengine.registry import RUNNERS

from effnet_dense.engine.config import load_config
from effnet_dense.scaling import DETECTORS, compound_detector
from effnet_dense.weights.safe import safe_load
from tests.helpers.build import FOLDER, build
from tests.helpers.tiers import slow_except
from tests.helpers.tiny import SIZE, options, write_data

# With 90 classes: google/automl `efficientdet_arch_test.py`. D7x is not in it; its number is that
# of effdet, which loads the published weights (77.0 million were published).
PARAMETERS = {
    'd0': 3_880_067,
    'd1': 6_625_898,
    'd2': 8_097_039,
    'd3': 12_032_296,
    'd4': 20_723_675,
    'd5': 33_653_315,
    'd6': 51_871_782,
    'd7': 51_871_782,
    'd7x': 77_147_166,
    'lite0': 3_243_470,
    'lite1': 4_248_318,
    'lite2': 5_252_334,
    'lite3': 8_350_862,
    'lite3x': 9_280_862,
    'lite4': 15_130_894,
}

family = pytest.mark.parametrize('name', DETECTORS)


def load(name: str, **kwargs: Any) -> Any:
    return load_config(FOLDER / f'efficientdet_{name}_coco.py', **kwargs)


def count(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def assert_contains(config: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    for key, value in expected.items():
        if isinstance(value, Mapping):
            assert_contains(config[key], value)
        else:
            assert config[key] == value, key


@family
def test_literals_match_the_table(name: str) -> None:
    config, size = load(name), DETECTORS[name].image_size
    assert_contains(config.model, DETECTORS[name].model())
    preprocessor = config.model.data_preprocessor
    assert preprocessor.pad_size_divisor == size
    assert preprocessor.batch_augments[0].size == (size, size)
    _, _, resize, crop, *_ = config.train_dataloader.dataset.pipeline
    assert resize.scale == crop.crop_size == (size, size)
    for loop in ('val', 'test'):
        assert config[f'{loop}_dataloader'].dataset.pipeline[1].scale == (size, size)


@family
def test_backbone_weights_match_the_architecture(name: str) -> None:
    backbone = load(name).model.backbone
    assert f'efficientnet_{backbone.arch}' in backbone.init_cfg.checkpoint


@family
def test_header_agrees_with_config_and_index(name: str, repository: Path) -> None:
    config = load(name)
    header = ast.get_docstring(ast.parse(Path(config.filename).read_text(encoding='utf-8'))) or ''
    size, epochs = DETECTORS[name].image_size, config.train_cfg.max_epochs
    assert f'COCO, {size} px, {epochs} epochs.' in header
    gpus, images = map(int, re.findall(r'(\d+) GPUs × (\d+) images', header)[0])
    assert images == config.train_dataloader.batch_size
    assert gpus * images == config.auto_scale_lr.base_batch_size
    index = yaml.safe_load((repository / 'model-index.yml').read_text(encoding='utf-8'))
    (entry,) = (m for m in index['Models'] if m['Name'] == f'efficientdet_{name}_coco')
    (expected,) = re.findall(r'Expected: ([\d.]+) box AP', header)
    assert float(expected) == entry['Results'][0]['Metrics']['box AP']


@pytest.mark.parametrize('name', slow_except(DETECTORS, 'd0', 'lite0', 'd7x'))
def test_parameters_and_shapes_at_the_published_size(name: str) -> None:
    config, size = load(name), DETECTORS[name].image_size
    config.model.bbox_head.num_classes = 90
    model = build(config).eval().to('meta')
    assert count(model) == PARAMETERS[name]
    with torch.no_grad():
        logits, deltas = model(torch.empty(1, 3, size, size, device='meta'))
    sides = [-(-size // stride) for stride in DETECTORS[name].strides()]
    assert [tuple(x.shape) for x in logits] == [(1, 9 * 90, side, side) for side in sides]
    assert [tuple(x.shape) for x in deltas] == [(1, 9 * 4, side, side) for side in sides]


@pytest.mark.parametrize('name', ['d0', 'd1', 'lite0'])
def test_predicts(name: str) -> None:
    meta = dict(img_shape=(128, 120), scale_factor=(1.0, 1.0))
    sample = DetDataSample(metainfo=meta)
    with torch.no_grad():
        (found,) = build(load(name)).eval()(torch.randn(1, 3, 128, 128), [sample], mode='predict')
    boxes, scores = found.pred_instances.bboxes, found.pred_instances.scores
    # An untrained network predicts a score near 0.01 for every class of every anchor.
    assert boxes.shape == (100, 4)
    assert (boxes >= 0).all()
    assert (boxes <= torch.tensor([120, 128, 120, 128])).all()
    assert (scores > 0.001).all()
    assert scores.equal(scores.sort(descending=True).values)


def test_config_of_a_compound_detector(tmp_path: Path) -> None:
    model = compound_detector(1.5).model()
    model['bbox_head']['num_classes'] = 90
    bases = [f'{FOLDER}/_base_/models/efficientdet.py', f'{FOLDER}/_base_/default_runtime.py']
    leaf = tmp_path / 'efficientdet_d1.5.py'
    leaf.write_text(f'_base_ = {bases}\nmodel = {model}', encoding='utf-8')
    assert PARAMETERS['d1'] < count(build(load_config(leaf))) < PARAMETERS['d2']


@pytest.mark.parametrize('name', ['d0', 'lite0'])
def test_only_kernels_decay(name: str) -> None:
    config = load(name)
    model = build(config)
    groups = build_optim_wrapper(model, config.optim_wrapper).optimizer.param_groups
    assert sum(len(group['params']) for group in groups) == len(list(model.parameters()))
    for group in groups:
        (parameter,) = group['params']
        assert group['weight_decay'] == (4e-5 if parameter.ndim == 4 else 0)
        assert group['lr'] == 0.08


@pytest.mark.parametrize(('name', 'epochs'), [('d0', 300), ('d7', 600), ('d7x', 600)])
def test_learning_rate(name: str, epochs: int) -> None:
    config, steps = load(name), 4  # steps per epoch
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.08)
    schedulers = [
        kind.build_iter_from_epoch(
            optimizer=optimizer,
            epoch_length=steps,
            **{k: v for k, v in cfg.items() if k not in ('type', 'convert_to_iter_based')},
        )
        for kind, cfg in zip((LinearLR, CosineAnnealingLR), config.param_scheduler, strict=True)
    ]
    rates = []
    for _ in range(epochs * steps):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    assert config.train_cfg.max_epochs == epochs
    assert rates[0] == pytest.approx(0.008)
    assert max(rates) == rates[steps] == pytest.approx(0.08)
    assert rates[(epochs + 1) * steps // 2] == pytest.approx(0.04)
    assert optimizer.param_groups[0]['lr'] == pytest.approx(0, abs=1e-6)


@pytest.mark.slow
def test_the_recipe_trains(tmp_path: Path) -> None:
    data = write_data(tmp_path / 'data')
    values = {**options(), 'model.data_preprocessor.pad_size_divisor': SIZE}
    runner = RUNNERS.build(load('lite0', data=data, options=values, work_dir=tmp_path / 'work'))
    runner.train()
    checkpoint = safe_load(tmp_path / 'work' / 'epoch_1.pth')
    key = 'neck.cells.0.nodes.0.conv.bn.running_mean'
    average, own = checkpoint['state_dict'][key], checkpoint['ema_state_dict'][f'module.{key}']
    assert checkpoint['ema_state_dict']['steps'] == 2
    assert not torch.equal(average, own)
