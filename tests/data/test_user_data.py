"""`use_data` with configs for mmdet and for mmseg."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mmengine.config import Config, ConfigDict

from effnet_dense.data import make_demo, use_data
from effnet_dense.data.coco.folder import find_coco
from effnet_dense.data.demo.scenes import SHAPES
from effnet_dense.data.parts import Division
from tests.helpers.exports import EXPORTS, cases, sample
from tests.helpers.oracle import oracle


def test_demo_has_label_maps_and_boxes(tmp_path: Path) -> None:
    """Both kinds of configs take it; drawn small here, `use_data` would draw 250 images."""
    folder = make_demo(tmp_path / 'demo', train=2, val=1)
    pipeline = [{'type': 'LoadAnnotations'}]
    dataset = ConfigDict(type='BaseSegDataset', pipeline=pipeline)
    loader = {'dataset': dataset}
    model = {'decode_head': {'num_classes': 2}}
    cfg = Config(dict(default_scope='mmseg', train_dataloader=loader, model=model))
    assert use_data(cfg, folder).classes == ('background', *SHAPES)
    assert cfg.model.decode_head.num_classes == 7
    loader = {'dataset': {'type': 'CocoDataset', 'pipeline': pipeline}}
    model = {'bbox_head': {'num_classes': 80}}
    cfg = Config(dict(default_scope='mmdet', train_dataloader=loader, model=model))
    assert use_data(cfg, folder).classes == tuple(SHAPES)
    assert cfg.model.bbox_head.num_classes == 6


@pytest.mark.parametrize(('name', 'kind'), cases())
def test_every_export_has_ap_1(name: str, kind: str, tmp_path: Path) -> None:
    """A perfect detector, on what training, testing and browsing read."""
    export = EXPORTS[name]
    parts = sample(tmp_path / 'source', runs=kind == 'runs')
    root = export.write(tmp_path / 'set', parts, kind != 'boxes')
    found = oracle(root, tmp_path / 'run', kind != 'boxes', Division(0.5, 3))
    assert found.perfect, found.ap
    assert f'found {export.format} in {root}' in found.source.summary()
    assert sorted(found.source.classes) == ['ant', 'big bee', 'cat']


@pytest.mark.parametrize('name', ['VOC devkit', 'YOLO', 'CVAT XML', 'labelme', 'Roboflow CSV'])
def test_areas_that_a_format_does_not_have_are_no_repairs(name: str, tmp_path: Path) -> None:
    export = EXPORTS[name]
    root = export.write(tmp_path / 'set', sample(tmp_path / 'source'), bool(export.masks))
    source = find_coco(root, scratch=tmp_path / 'run', division=Division(0.5, 3))
    assert 'repaired' not in source.summary()
    data = json.loads(source.splits['train'].ann_file.read_text(encoding='utf-8'))
    assert all(entry['area'] > 0 for entry in data['annotations'])
