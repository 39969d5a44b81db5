"""Every shipped config: inheritance, header, model, and its changes by `--data`."""

from __future__ import annotations

import ast
import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from mmseg.registry import DATASETS
from mmseg.structures import SegDataSample

from effnet_dense.engine.config import load_config
from effnet_dense.weights import check_normalisation
from tests.helpers.build import FOLDER, build
from tests.helpers.stock_config import stock_config
from tests.helpers.tiny import write_data

LEAVES = sorted(path.name for path in FOLDER.glob('*.py'))
HEADER = ('Command:', 'Hardware:', 'Expected:', 'Source:')
PROMISED = {
    'effnet_b3_retinanet_coco.py',
    'effnet_b0_retinanet_coco.py',
    'effnet_lite0_retinanet_coco.py',
    'effnet_b0_faster_rcnn_coco.py',
    'effnet_v2_s_faster_rcnn_coco.py',
    'effnet_b0_fcos_coco.py',
    'effnet_b0_atss_coco.py',
    'effnet_b0_gfl_coco.py',
    'effnet_b0_tood_coco.py',
    'effnet_b0_rtmdet_coco.py',
    'effnet_b3_rtmdet_coco.py',
    'effnet_b3_dino_coco.py',
    'effnet_b3_rtdetr_coco.py',
    'effnet_lite0_retinanet_finetune.py',
    'effnet_b0_mask_rcnn_coco.py',
    'effnet_b3_mask_rcnn_coco.py',
    'effnet_b0_mask_rcnn_bifpn_coco.py',
    'effnet_b3_mask_rcnn_bifpn_coco.py',
    'effnet_b0_rtmdet_ins_coco.py',
    'effnet_b3_mask2former_coco.py',
    'effnet_b7_mask_rcnn_copypaste_coco.py',
    'effnet_lite0_mask_rcnn_finetune.py',
    'effnet_b3_panoptic_fpn_coco.py',
    'effnet_b0_fpn_ade20k.py',
    'effnet_b3_fpn_ade20k.py',
    'effnet_b3_deeplabv3plus_ade20k.py',
    'effnet_b5_upernet_ade20k.py',
    'effnet_b3_bifpn_ade20k.py',
    'effnet_b3_bifpn_cityscapes.py',
    'effnet_b5_mask2former_ade20k.py',
    'effnet_lite0_eseg_cityscapes.py',
    'efficientdet_d4_seg_voc2012.py',
}

CONFIGS = {name: load_config(FOLDER / name) for name in LEAVES}  # not to be modified
SEGMENTORS = [name for name, config in CONFIGS.items() if 'decode_head' in config.model]
DETECTORS = [name for name in LEAVES if name not in SEGMENTORS]
# Configs that accept another folder in COCO's format by `--data`.
COCO = [
    name
    for name, config in CONFIGS.items()
    if config.train_dataloader.dataset.type == 'CocoDataset'
]

leaves = pytest.mark.parametrize('name', LEAVES)


def bases(path: Path) -> list[str]:
    """Parse `_base_` from a config's source."""
    for node in ast.parse(path.read_text(encoding='utf-8')).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == '_base_':
            return ast.literal_eval(node.value)
    return []


def test_the_promised_configs_exist() -> None:
    assert set(LEAVES) >= PROMISED


@leaves
def test_two_levels_of_inheritance(name: str) -> None:
    for base in bases(FOLDER / name):
        path = FOLDER / base
        assert path.is_relative_to(FOLDER / '_base_'), f'{name} inherits the leaf {base}'
        assert not bases(path), f'{base} inherits'


@leaves
def test_one_base_of_each_kind(name: str) -> None:
    kinds = sorted(Path(base).parent.name for base in bases(FOLDER / name))
    assert kinds == ['_base_', 'datasets', 'models', 'schedules']


@leaves
def test_header_has_command_hardware_expected_metric_and_source(name: str) -> None:
    header = ast.get_docstring(ast.parse((FOLDER / name).read_text(encoding='utf-8')))
    assert header is not None
    for field in HEADER:
        assert field in header
    assert name in header


@leaves
def test_normalisation_matches_the_weights(name: str) -> None:
    check_normalisation(copy.deepcopy(CONFIGS[name]))


@leaves
def test_wrong_normalisation_is_detected(name: str) -> None:
    config = copy.deepcopy(CONFIGS[name])
    config.model.data_preprocessor.mean = [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match='mean'):
        check_normalisation(config)


@pytest.mark.slow
@pytest.mark.parametrize('name', DETECTORS)
def test_features_have_the_strides_of_the_anchors(name: str) -> None:
    model = build(copy.deepcopy(CONFIGS[name])).eval()
    with torch.no_grad():
        features = model.extract_feat(torch.randn(1, 3, 64, 64))
    if hasattr(model, 'panoptic_head'):  # queries, no anchors
        strides = model.panoptic_head.pixel_decoder.strides
    else:
        head = getattr(model, 'rpn_head', None) or model.bbox_head
        generator = getattr(head, 'prior_generator', None)  # DETRs have no priors
        levels = 0 if generator else model.decoder.layers[0].cross_attn.num_levels
        strides = (
            [width for width, _ in generator.strides] if generator else [8, 16, 32, 64][:levels]
        )
    assert [f.shape[-1] for f in features] == [max(1, 64 // stride) for stride in strides]


@pytest.mark.slow
@pytest.mark.parametrize('name', SEGMENTORS)
def test_predicts_the_classes_of_its_data(name: str) -> None:
    config = copy.deepcopy(CONFIGS[name])
    model = build(config).eval()
    meta = dict(img_shape=(64, 96), ori_shape=(50, 75))
    with torch.no_grad():
        (found,) = model.predict(torch.randn(1, 3, 64, 96), [SegDataSample(metainfo=meta)])
    dataset = DATASETS.get(config.test_dataloader.dataset.type).METAINFO
    classes = len(config.test_dataloader.dataset.get('metainfo', dataset)['classes'])
    assert found.seg_logits.data.shape == (classes, 50, 75)
    assert found.pred_sem_seg.data.shape == (1, 50, 75)
    assert config.model.get('auxiliary_head', {}).get('num_classes', classes) == classes


@pytest.mark.parametrize('name', SEGMENTORS)
def test_schedule_and_tta_of_segmentors(name: str) -> None:
    """The lr schedule ends with the training, and the config has what --tta requires."""
    config = copy.deepcopy(CONFIGS[name])
    assert config.default_scope == 'mmseg'
    assert config.train_cfg.type == 'IterBasedTrainLoop'
    assert max(scheduler.end for scheduler in config.param_scheduler) == config.train_cfg.max_iters
    assert not any(scheduler.by_epoch for scheduler in config.param_scheduler)
    assert config.train_dataloader.sampler.type == 'InfiniteSampler'
    assert config.tta_model.type == 'SegTTAModel'
    assert config.tta_pipeline[1].type == 'TestTimeAug'


@pytest.mark.slow
@pytest.mark.parametrize('name', COCO)
def test_data_folder_sets_classes_and_files(name: str, tmp_path: Path) -> None:
    data = write_data(tmp_path)
    config = load_config(FOLDER / name, data=data)
    for loop in ('train', 'val', 'test'):
        dataset = config[f'{loop}_dataloader'].dataset
        assert (Path(dataset.data_root) / dataset.ann_file).is_file()
        assert dataset.metainfo.classes == ('square', 'bar')
    assert config.val_evaluator.ann_file == str(data / 'annotations' / 'val.json')
    model = build(config)
    parts = (getattr(model, 'roi_head', model), 'bbox_head'), (model, 'panoptic_head')
    (head,) = (getattr(part, key) for part, key in parts if hasattr(part, key))
    assert head.num_classes == 2


@pytest.mark.parametrize('name', [name for name in LEAVES if 'panoptic' in name])
def test_data_folder_is_refused_by_panoptic_configs(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="in train_dataloader, got 'CocoPanopticDataset'"):
        load_config(FOLDER / name, data=write_data(tmp_path))


def unscoped(values: Any) -> Any:
    """Return config values with types that have the names of mmdet's, whose results they have."""
    if isinstance(values, dict):
        return {key: unscoped(value) for key, value in values.items()}
    return values.removeprefix('effnet_dense.') if isinstance(values, str) else values


def test_main_recipe_equals_mmdets() -> None:
    """mmdet 3.3, configs/efficientnet/retinanet_effb3_fpn_8xb4-crop896-1x_coco.py: 40.5 AP."""
    ours = load_config(FOLDER / 'effnet_b3_retinanet_coco.py')
    theirs = stock_config('mmdet::efficientnet/retinanet_effb3_fpn_8xb4-crop896-1x_coco.py')
    for key in ('optimizer', 'paramwise_cfg'):
        assert ours.optim_wrapper[key] == theirs.optim_wrapper[key]
    for key in ('param_scheduler', 'train_cfg'):
        assert ours[key] == theirs[key]
    assert ours.auto_scale_lr.base_batch_size == theirs.auto_scale_lr.base_batch_size
    for key in ('neck', 'bbox_head', 'train_cfg', 'test_cfg', 'data_preprocessor'):
        assert unscoped(ours.model[key]) == theirs.model[key], key
    for a, b in zip(
        ours.train_dataloader.dataset.pipeline,
        theirs.train_dataloader.dataset.pipeline,
        strict=True,
    ):
        assert {**a, 'type': a['type'].removeprefix('effnet_dense.')} == b
    assert ours.train_dataloader.batch_size == theirs.train_dataloader.batch_size
    for key in ('arch', 'drop_path_rate', 'out_indices', 'norm_cfg'):
        assert ours.model.backbone[key] == theirs.model.backbone[key], key
