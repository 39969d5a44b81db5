"""Test-time augmentation of detectors whose config defines none."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmdet.datasets.transforms import PackDetInputs, Resize
from mmengine.config import Config
from mmengine.registry import init_default_scope

from effnet_dense.engine import test_time
from effnet_dense.engine.config import load_config
from effnet_dense.engine.jobs import test as evaluate
from effnet_dense.engine.test_time import check_one_view, use_tta, views_of
from tests.helpers import tiny
from tests.helpers.build import build

RETINANET = 'effnet_lite0_retinanet_finetune'


def test_views_have_three_sizes_and_both_flips(tmp_path: Path) -> None:
    data = tiny.write_data(tmp_path)
    config = load_config(RETINANET, data=str(data), splits=('val',))
    use_tta(config)
    assert config.tta_model == dict(
        type='DetTTAModel', tta_cfg=dict(nms=config.model.test_cfg.nms, max_per_img=100)
    )
    init_default_scope('mmdet')
    path = data / 'images' / 'val' / '0.png'
    sample = dict(img_path=str(path), img_id=1, instances=[])
    views = Compose(config.test_dataloader.dataset.pipeline)(sample)
    sides = [each.shape[1:] for each in views['inputs']]
    assert sides == [(320, 320)] * 2 + [(266, 266)] * 2 + [(384, 384)] * 2
    upright, mirrored = views['inputs'][:2]
    torch.testing.assert_close(mirrored.flip(-1), upright)
    assert [each.metainfo['flip'] for each in views['data_samples']] == [False, True] * 3


@pytest.mark.parametrize('merge', ['nms', 'wbf'])
def test_one_view_predicts_what_the_detector_does(
    merge: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_time, 'SCALES', (1.0,))
    monkeypatch.setattr(test_time, 'FLIPS', (0.0,))
    data = tiny.write_data(tmp_path / 'data')
    options = tiny.options(**tiny.narrow_retinanet())

    def config() -> Config:
        work_dir = str(tmp_path / 'work')
        return load_config(RETINANET, str(data), options, work_dir=work_dir, splits=('val',))

    torch.manual_seed(0)
    model = build(config())
    torch.save(model.state_dict(), tmp_path / 'model.pth')

    def detections(tta: str | bool) -> list[Any]:
        out = tmp_path / f'{tta}.pkl'
        evaluate(config(), str(tmp_path / 'model.pth'), out=out, tta=tta)
        with out.open('rb') as file:
            return [each['pred_instances'] for each in pickle.load(file)]

    for ours, plain in zip(detections(merge), detections(False), strict=True):
        assert len(plain['scores']) > 5
        np.testing.assert_allclose(sorted_rows(ours), sorted_rows(plain), rtol=1e-4, atol=1e-3)


def sorted_rows(found: Any) -> np.ndarray:
    """Boxes with score and label (K, 6), sorted by coordinates: scores may be equal."""
    columns = [found['bboxes'], found['scores'][:, None], found['labels'][:, None]]
    rows = torch.cat(columns, 1).double().numpy()
    return rows[np.lexsort(rows[:, [5, 0, 1, 2, 3]].round(1).T)]


def test_pads_fit_larger_views() -> None:
    steps: list[dict[str, Any]] = [
        dict(type='LoadImageFromFile'),
        dict(type='mmdet.Resize', scale=(64, float('inf')), keep_ratio=True),
        dict(type='Pad', size=(64, 64), pad_val=dict(img=114)),
        dict(type='PackDetInputs', meta_keys=('img_id',)),
    ]
    augmented = views_of(steps)[-1]['transforms']
    assert [each['scale'] for each in augmented[0]] == [
        (64, float('inf')),
        (53, float('inf')),
        (77, float('inf')),
    ]
    assert augmented[2] == [dict(type='Pad', size=None, size_divisor=32, pad_val=dict(img=114))]
    assert augmented[3][0]['meta_keys'] == ('img_id', 'flip', 'flip_direction')


def test_a_config_keeps_its_own_views() -> None:
    config = load_config('effnet_lite0_fpn_camvid')
    own, model = config.tta_pipeline, config.tta_model
    use_tta(config)
    assert config.test_dataloader.dataset.pipeline == own and config.tta_model == model


@pytest.mark.parametrize(
    ('name', 'merge', 'message'),
    [
        ('effnet_lite0_fpn_camvid', 'wbf', 'this config is for a segmentor'),
        ('effnet_lite0_mask_rcnn_finetune', None, 'this model predicts masks'),
        ('effnet_b0_rtmdet_ins_coco', 'nms', 'this model predicts masks'),
        ('effnet_b3_panoptic_fpn_coco', None, 'this model predicts masks'),
        (RETINANET, 'mean', "one of nms, wbf, got 'mean'"),
    ],
)
def test_what_is_not_merged(name: str, merge: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        use_tta(load_config(name), merge)


def test_a_pipeline_without_a_size() -> None:
    with pytest.raises(ValueError, match=r'one Resize\(scale=...\).*got LoadImageFromFile'):
        views_of([dict(type='LoadImageFromFile'), dict(type='PackDetInputs')])


@pytest.mark.parametrize(
    ('step', 'message'),
    [
        (
            dict(type='Resize', scale=None, scale_factor=0.5),
            r'got Resize\(scale_factor=0.5\), Pack',
        ),
        (dict(type='Resize', img_scale=(64, 64)), r'got Resize\(img_scale=\(64, 64\)\)'),
        (dict(type='mmyolo.LetterResize', scale=(64, 64)), r'got LetterResize\(scale=\(64, 64\)\)'),
        (dict(type='MultiScaleFlipAug', img_scale=(64, 64)), 'add tta_pipeline and tta_model'),
        (dict(scale=(64, 64)), 'got a step without type'),
        (dict(type='Resize', scale='64'), "expected numbers as scale of Resize, got '64'"),
    ],
)
def test_other_resizing(step: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        views_of([step, dict(type='PackDetInputs')])


def test_classes_as_types() -> None:
    """Configs of mmengine's lazy style."""
    views = views_of([dict(type=Resize, scale=64), dict(type=PackDetInputs)])
    assert [each['scale'] for each in views[0]['transforms'][0]] == [64, 53, 77]


def test_own_views_are_views() -> None:
    config = load_config(RETINANET)
    config.tta_pipeline = config.test_dataloader.dataset.pipeline
    with pytest.raises(ValueError, match='tta_pipeline needs a step TestTimeAug, got LoadImage'):
        use_tta(config)


def test_a_segmentor_needs_its_own() -> None:
    config = load_config('effnet_lite0_fpn_camvid')
    config.tta_model = None
    with pytest.raises(ValueError, match='SegTTAModel'):
        use_tta(config)


def test_views_that_nothing_merges() -> None:
    config = load_config('effnet_lite0_fpn_camvid')
    check_one_view(config)
    config.test_dataloader.dataset.pipeline = config.tta_pipeline
    with pytest.raises(ValueError, match='name this pipeline tta_pipeline'):
        check_one_view(config)
    config.model = dict(type='SegTTAModel', module=config.model)
    check_one_view(config)
