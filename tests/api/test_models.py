"""`list_models`: every shipped config and backbone, with the figures of docs/model-zoo.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from effnet_dense.analysis.counts import count_gflops, count_parameters
from effnet_dense.analysis.memory.byte_counter import ByteCounter
from effnet_dense.analysis.memory.fake_mode import MixedFakeMode
from effnet_dense.analysis.memory.fake_model import replace_tensors
from effnet_dense.analysis.memory.model import build_model
from effnet_dense.analysis.scaling.networks import (
    TransformerNetwork,
    build_dense_network,
    published_networks,
)
from effnet_dense.analysis.scaling.query_network import QueryNetwork
from effnet_dense.api.backbones import SIZES, WEIGHTS
from effnet_dense.api.models import TASKS, ModelInfo, _config, list_models
from effnet_dense.commands.models import short
from effnet_dense.engine.config import load_config, shipped_configs
from effnet_dense.scaling import FAMILIES
from tests.helpers.documents import ROOT, tables

OTHER_WEIGHTS = {
    name: f'timm://tf_efficientnet_{arch}.aa_in1k'
    for name, arch in (
        *((f'efficientdet_d{n}_coco', f'b{n}') for n in range(7)),
        ('efficientdet_d7_coco', 'b6'),
        ('efficientdet_d7x_coco', 'b7'),
        ('efficientdet_d4_seg_voc2012', 'b4'),
        ('effnet_b3_retinanet_coco', 'b3'),
    )
}
"""Recipes whose published figures belong to other weights than `--backbone` takes."""
ZOO = ROOT / 'docs' / 'model-zoo.md'
CONFIGS = [model for model in list_models() if model.config is not None]


def zoo() -> dict[str, list[str]]:
    """Config → its row in the zoo."""
    lines = [line for table in tables(ZOO) for line in table]
    rows = [[cell.strip(' `') for cell in line.strip('|').split('|')] for line in lines]
    return {row[0]: row for row in rows if len(row) == 7 and row[0] in shipped_configs()}


def test_every_config_and_backbone_once() -> None:
    names = [model.name for model in list_models()]
    assert len(names) == len(set(names))
    assert set(names) == {*shipped_configs(), *FAMILIES}
    assert SIZES.keys() == WEIGHTS.keys() == FAMILIES.keys()
    assert {model.config for model in CONFIGS} == set(shipped_configs().values())


def test_selection() -> None:
    assert {model.task for model in list_models()} == set(TASKS)
    assert [m.name for m in list_models(pattern='V2_XL')] == ['v2_xl']
    assert [m.name for m in list_models('instance', '*finetune')] == [
        'effnet_lite0_mask_rcnn_finetune',
        'effnet_lite0_mask_rcnn_copypaste_finetune',
    ]
    assert list_models(pattern='b?') == list_models('backbone', 'b[0-8]')
    assert list_models(pattern='finetune.py') == list_models(pattern='finetune')
    assert list_models(pattern='nothing') == []
    with pytest.raises(ValueError, match=r'task must be one of detection, .*backbone, got'):
        list_models('classification')


@pytest.mark.parametrize(
    ('entry', 'said'),
    [
        ({'Name': 'some_coco'}, "'some_coco' lacks 'Metadata'"),
        ({'Name': 'some_coco', 'Metadata': {'Input Size': 64}}, "'some_coco' lacks 'Task'"),
        ({'Name': 'some_coco', 'Metadata': None}, "'some_coco' is damaged: "),
        ('some_coco', "'some_coco' is damaged: "),
    ],
)
def test_a_damaged_entry_is_named(entry: Any, said: str) -> None:
    with pytest.raises(ValueError, match=rf'^model-index\.yml: the entry {said}'):
        _config(entry)


@pytest.mark.parametrize('model', CONFIGS, ids=lambda model: model.name)
def test_the_zoo_has_the_same(model: ModelInfo) -> None:
    _, size, gflops, parameters, figure, source, weights = zoo()[model.name]
    height, width = model.input_size
    assert size == (str(width) if height == width else f'{height} × {width}')
    star = ' *' if model.counted else ''
    assert (gflops, parameters) == (
        short(model.multiply_adds / 1e9) + star,
        short(model.parameters / 1e6),
    )
    assert weights == model.weights
    assert bool(model.figures) == (figure != 'none')
    for found in model.figures:
        assert 0 < found.value < 100
        # The zoo rounds COCO's to one digit, and has fractions for what was trained here.
        mean_of_seeds = 'mean' in found.source
        assert mean_of_seeds or any(
            text in figure
            for text in (f'{found.value:.1f}', f'{found.value / 100:.3f}', f'{found.value:.2f}')
        )
        assert ('trained here' in found.source) == (not source.startswith('not trained here'))


def test_the_configs_start_from_these_weights() -> None:
    for model in CONFIGS:
        config = load_config(model.name)
        backbone = config.model.backbone
        assert backbone.init_cfg.checkpoint == model.weights
        assert OTHER_WEIGHTS.get(model.name, WEIGHTS[backbone.arch]) == model.weights
        scope = config.get('default_scope')
        assert (scope == 'mmseg') == (model.task == 'segmentation')


def test_the_weights_are_those_of_the_flag() -> None:
    zoo = pytest.importorskip('effnet_dense.weights.zoo')
    assert zoo.IMAGENET_WEIGHTS == WEIGHTS


def test_licences() -> None:
    timm = pytest.importorskip('timm')
    for source in WEIGHTS.values():
        if source.startswith('timm://'):
            licence = timm.get_pretrained_cfg(source.removeprefix('timm://')).license
            assert licence == 'apache-2.0', source


@pytest.mark.parametrize(
    'name', ['effnet_lite0_retinanet_finetune', 'effnet_lite0_mask_rcnn_finetune']
)
def test_sizes_of_configs_are_counted(name: str) -> None:
    check_counts(list_models(pattern=name)[0])


COUNTED = [
    *CONFIGS[::6],
    *(list_models('detection', f'*{name}*')[0] for name in ('dino', 'rtdetr')),
]


@pytest.mark.slow
@pytest.mark.parametrize('model', COUNTED, ids=lambda model: model.name)
def test_sizes_of_more_configs_are_counted(model: ModelInfo) -> None:
    check_counts(model)


def check_counts(model: ModelInfo) -> None:
    """Compare a config's numbers with the network that it builds."""
    config = load_config(model.name)
    assert count_parameters(build_model(config)) == model.parameters
    network = build_dense_network(config)
    images = torch.empty(1, 3, *model.input_size, device='meta')
    if isinstance(network, TransformerNetwork | QueryNetwork):  # reads values of its levels
        mode = MixedFakeMode(ByteCounter())
        replace_tensors(network, mode.make_fake)
        with mode:
            gflops = count_gflops(network, mode.make_fake(images))
    else:
        gflops = count_gflops(network.to('meta'), images)
    assert round(gflops * 1e9) == model.multiply_adds


@pytest.mark.parametrize('name', ['b0', 'lite4', 'es'])
def test_sizes_of_backbones_are_counted(name: str) -> None:
    (network,) = (n for n in published_networks('classification') if n.name == name)
    (model,) = list_models('backbone', name + '*')[:1]
    assert model.input_size == (network.size, network.size)
    built = network.make().to('meta')
    assert count_parameters(built) == model.parameters
    images = torch.empty(1, 3, *model.input_size, device='meta')
    assert round(count_gflops(built, images) * 1e9) == model.multiply_adds
    assert network.accuracy is not None
    assert model.figures[0].value == network.accuracy.value


def test_a_config_is_a_file() -> None:
    assert all(isinstance(model.config, Path) and model.config.is_file() for model in CONFIGS)
