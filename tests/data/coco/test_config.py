"""`--data` on mmdet's own configs, and datasets and metrics built from the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mmdet
import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS, METRICS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.registry import DefaultScope

from effnet_dense.data import use_data
from effnet_dense.data.config_walk import leaf_datasets
from tests.helpers.class_counts import num_classes
from tests.helpers.coco_folder import Coco, tiny_coco

CLASSES = ('cat', 'ant', 'bee')


@pytest.fixture(scope='module', autouse=True)
def _mmdet_scope() -> Iterator[None]:
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


def mmdet_config(*names: str) -> Config:
    """Join base configs of mmdet's."""
    bases = Path(mmdet.__file__).parent / '.mim' / 'configs' / '_base_'
    cfg = Config()
    for name in names:
        cfg.merge_from_dict(dict(Config.fromfile(bases / f'{name}.py').items()))
    return cfg


HEADS = {
    'retinanet_r50_fpn': ['bbox_head'],
    'faster-rcnn_r50_fpn': ['roi_head.bbox_head'],
    'mask-rcnn_r50_fpn': ['roi_head.bbox_head', 'roi_head.mask_head'],
    'cascade-mask-rcnn_r50_fpn': [
        'roi_head.bbox_head[0]',
        'roi_head.bbox_head[1]',
        'roi_head.bbox_head[2]',
        'roi_head.mask_head',
    ],
}


@pytest.mark.parametrize('model', HEADS)
def test_heads_of_mmdet(make_folder: Callable[..., Path], model: str) -> None:
    cfg = mmdet_config(f'models/{model}', 'datasets/coco_instance')
    assert set(num_classes(cfg.model).values()) == {80}
    use_data(cfg, make_folder())
    assert num_classes(cfg.model) == {f'{head}.num_classes': 3 for head in HEADS[model]}


def test_model_without_heads_is_rejected(make_folder: Callable[..., Path]) -> None:
    cfg = mmdet_config('datasets/coco_detection')
    cfg.model = {'type': 'Other', 'net': {'num_classes': 80}}
    with pytest.raises(ValueError, match=r"no head with num_classes in \['net', 'type'\]"):
        use_data(cfg, make_folder())


def test_fields_of_datasets_and_evaluators(make_folder: Callable[..., Path]) -> None:
    cfg = mmdet_config('models/retinanet_r50_fpn', 'datasets/coco_detection')
    root = make_folder()
    source = use_data(cfg, root)
    assert source.classes == CLASSES
    for loop, name in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        dataset = cfg[f'{loop}_dataloader'].dataset
        assert dataset.data_root == f'{root}/'
        assert dataset.ann_file == f'annotations/{name}.json'
        assert dataset.data_prefix == {'img': f'images/{name}/'}
        assert dataset.metainfo.classes == CLASSES
        assert len(dataset.metainfo.palette) == 3
        assert dataset.pipeline[0].type == 'LoadImageFromFile'
    assert cfg.val_evaluator.ann_file == cfg.test_evaluator.ann_file
    assert cfg.val_evaluator.ann_file == str(root / 'annotations/val.json')


def test_config_survives_dump_and_load(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    cfg = mmdet_config('models/retinanet_r50_fpn', 'datasets/coco_detection')
    use_data(cfg, make_folder())
    cfg.dump(tmp_path / 'dumped.py')
    again = Config.fromfile(tmp_path / 'dumped.py')
    assert again.train_dataloader.dataset.metainfo.classes == CLASSES
    assert again.model.bbox_head.num_classes == 3


def test_lists_of_evaluators(make_folder: Callable[..., Path]) -> None:
    cfg = mmdet_config('models/retinanet_r50_fpn', 'datasets/coco_detection')
    root = make_folder()
    cfg.val_evaluator = [cfg.val_evaluator, {'type': 'DumpDetResults', 'out_file_path': 'a.pkl'}]
    cfg.test_evaluator = {'type': 'Evaluator', 'metrics': [cfg.test_evaluator]}
    use_data(cfg, root)
    expected = str(root / 'annotations/val.json')
    assert cfg.val_evaluator[0].ann_file == expected
    assert 'ann_file' not in cfg.val_evaluator[1]
    assert cfg.test_evaluator.metrics[0].ann_file == expected


def wrappers(dataset: Any) -> dict[str, Any]:
    return {
        'repeat': {'type': 'RepeatDataset', 'times': 3, 'dataset': dataset},
        'balanced': {'type': 'ClassBalancedDataset', 'oversample_thr': 0.1, 'dataset': dataset},
        'mix': {'type': 'MultiImageMixDataset', 'pipeline': [], 'dataset': dataset},
        'concat': {'type': 'ConcatDataset', 'datasets': [dataset]},
        'nested': {
            'type': 'RepeatDataset',
            'times': 2,
            'dataset': {'type': 'ConcatDataset', 'datasets': [dataset]},
        },
    }


@pytest.mark.parametrize(
    ('wrapper', 'length'),
    [('repeat', 6), ('balanced', 2), ('mix', 2), ('concat', 2), ('nested', 4)],
)
def test_wrapped_datasets_build(
    make_folder: Callable[..., Path], wrapper: str, length: int
) -> None:
    cfg = mmdet_config('models/retinanet_r50_fpn', 'datasets/coco_detection')
    cfg.train_dataloader.dataset = wrappers(cfg.train_dataloader.dataset)[wrapper]
    use_data(cfg, make_folder())
    (leaf,) = leaf_datasets(cfg.train_dataloader.dataset)
    assert leaf.metainfo.classes == CLASSES
    built = DATASETS.build(cfg.train_dataloader.dataset)
    assert len(built) == length
    assert tuple(built.metainfo['classes']) == CLASSES


def test_of_concatenated_datasets_the_users_counts_once(
    make_folder: Callable[..., Path],
) -> None:
    cfg = mmdet_config('models/retinanet_r50_fpn', 'datasets/coco_detection')
    dataset = cfg.train_dataloader.dataset
    cfg.train_dataloader.dataset = {'type': 'ConcatDataset', 'datasets': [dataset, dataset]}
    use_data(cfg, make_folder())
    assert len(DATASETS.build(cfg.train_dataloader.dataset)) == 2


def test_to_test_val_is_enough(make_folder: Callable[..., Path]) -> None:
    root = make_folder()
    (root / 'annotations/train.json').unlink()
    cfg = mmdet_config('models/retinanet_r50_fpn', 'datasets/coco_detection')
    use_data(cfg, root, splits=('val',))
    assert cfg.test_dataloader.dataset.data_root == f'{root}/'
    assert cfg.train_dataloader.dataset.data_root == 'data/coco/'
    assert cfg.model.bbox_head.num_classes == 3


def test_config_without_evaluation(make_folder: Callable[..., Path]) -> None:
    cfg = mmdet_config('models/retinanet_r50_fpn', 'datasets/coco_detection')
    cfg.val_dataloader = cfg.val_evaluator = None
    cfg.pop('test_dataloader')
    cfg.pop('test_evaluator')
    use_data(cfg, make_folder())
    assert cfg.val_dataloader is None


@pytest.mark.parametrize('name', ['voc0712', 'lvis_v1_instance', 'coco_panoptic'])
def test_other_kinds_of_datasets_are_rejected(make_folder: Callable[..., Path], name: str) -> None:
    cfg = mmdet_config('models/retinanet_r50_fpn', f'datasets/{name}')
    with pytest.raises(ValueError, match=r'expected a CocoDataset in train_dataloader, got '):
        use_data(cfg, make_folder())


def test_other_metrics_on_a_file_are_rejected(make_folder: Callable[..., Path]) -> None:
    cfg = mmdet_config('models/retinanet_r50_fpn', 'datasets/coco_detection')
    cfg.val_evaluator.type = 'LVISMetric'
    with pytest.raises(ValueError, match="a CocoMetric in val_evaluator, got 'LVISMetric'"):
        use_data(cfg, make_folder())


def test_label_maps_that_a_config_reads_must_be_there(make_folder: Callable[..., Path]) -> None:
    cfg = mmdet_config('models/retinanet_r50_fpn', 'datasets/coco_instance_semantic')
    root = make_folder()
    with pytest.raises(
        FileNotFoundError, match=r"data_prefix 'seg', expected a folder .*stuffthing"
    ):
        use_data(cfg, root)
    (root / 'stuffthingmaps/train2017').mkdir(parents=True)
    use_data(cfg, root)
    prefix = cfg.train_dataloader.dataset.data_prefix
    assert prefix == {'img': 'images/train/', 'seg': 'stuffthingmaps/train2017/'}


def test_masks_are_required_where_the_config_uses_them(make_folder: Callable[..., Path]) -> None:
    content = tiny_coco()
    for annotation in content['annotations']:
        del annotation['segmentation']
    root = make_folder(content, content)
    use_data(mmdet_config('models/retinanet_r50_fpn', 'datasets/coco_detection'), root)
    with pytest.raises(ValueError) as error:
        use_data(mmdet_config('models/mask-rcnn_r50_fpn', 'datasets/coco_instance'), root)
    assert str(error.value).count("4 × 'segmentation' of annotations is not polygons") == 2


def test_warnings_reach_the_user(
    make_folder: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    train = tiny_coco()
    train['annotations'][3]['bbox'] = [70, 8, 30, 30]
    cfg = mmdet_config('models/retinanet_r50_fpn', 'datasets/coco_detection')
    use_data(cfg, make_folder(train))
    shown = capsys.readouterr()
    assert 'warning: 1 × box partly outside its image' in shown.out + shown.err


@pytest.mark.slow
def test_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cfg = mmdet_config('models/mask-rcnn_r50_fpn', 'datasets/coco_instance')
    source = use_data(cfg, 'demo')
    assert source.root == tmp_path / 'data/demo'
    assert cfg.model.roi_head.mask_head.num_classes == len(source.classes) == 6
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    sample = dataset[0]
    assert len(sample['data_samples'].gt_instances.masks) > 0


def reordered(content: Coco, order: list[int]) -> Coco:
    return content | {'categories': [content['categories'][i] for i in order]}


def ground_truth_as_predictions(dataset: Any, shift: int = 0) -> list[dict[str, Any]]:
    """What a perfect detector would return for the dataset's samples."""
    samples = []
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        boxes = np.array([instance['bbox'] for instance in info['instances']])
        labels = np.array([instance['bbox_label'] for instance in info['instances']])
        prediction = {
            'bboxes': torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            'labels': torch.tensor((labels + shift) % len(dataset.metainfo['classes'])),
            'scores': torch.ones(len(labels)),
        }
        shape = (info['height'], info['width'])
        sample = {'pred_instances': prediction, 'img_id': info['img_id'], 'ori_shape': shape}
        samples.append(sample)
    return samples


def evaluate(cfg: Config, dataset: Any, shift: int = 0) -> dict[str, float]:
    metric = METRICS.build(cfg.val_evaluator)
    metric.dataset_meta = dataset.metainfo
    metric.process({}, ground_truth_as_predictions(dataset, shift))
    return metric.evaluate(len(dataset))


@pytest.mark.parametrize('order', [[0, 1, 2], [2, 0, 1], [1, 2, 0]])
def test_labels_map_to_categories_and_back(
    make_folder: Callable[..., Path], order: list[int]
) -> None:
    """Ids 90, 7, 30 in any order: label → class name → category id must agree everywhere."""
    content = reordered(tiny_coco(), order)
    cfg = mmdet_config('models/retinanet_r50_fpn', 'datasets/coco_detection')
    use_data(cfg, make_folder(content, content))
    for loop in ('train', 'val'):
        dataset = DATASETS.build(cfg[f'{loop}_dataloader'].dataset)
        found = {
            (info['img_id'], dataset.metainfo['classes'][instance['bbox_label']])
            for info in map(dataset.get_data_info, range(len(dataset)))
            for instance in info['instances']
        }
        assert found == {(12, 'cat'), (12, 'ant'), (5, 'bee'), (5, 'ant')}
    assert evaluate(cfg, dataset)['coco/bbox_mAP'] == 1.0
    assert evaluate(cfg, dataset, shift=1)['coco/bbox_mAP'] < 0.1


@pytest.mark.parametrize('name', ['pennfudan', 'coco128'])
def test_real_data_round_trip(shared_data: Path, name: str) -> None:
    cfg = mmdet_config('models/faster-rcnn_r50_fpn', 'datasets/coco_detection')
    use_data(cfg, shared_data / name)
    train = DATASETS.build(cfg.train_dataloader.dataset)
    assert len(train[0]['data_samples'].gt_instances) > 0
    val = DATASETS.build(cfg.val_dataloader.dataset)
    assert evaluate(cfg, val)['coco/bbox_mAP_50'] > 0.99  # crowds are left out of both


def test_id_0_of_an_annotation_is_never_found(make_folder: Callable[..., Path]) -> None:
    """Why it is repaired: pycocotools reads the id of the match as 'matched or not'."""
    val = tiny_coco()
    val['annotations'][0]['id'] = 0
    cfg = mmdet_config('models/retinanet_r50_fpn', 'datasets/coco_detection')
    root = make_folder(val=val)
    source = use_data(cfg, root, scratch=root.parent / 'run')
    assert 'id 0' in source.summary()
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    assert evaluate(cfg, dataset)['coco/bbox_mAP'] == 1
    cfg.val_evaluator.ann_file = str(root / 'annotations/val.json')
    assert evaluate(cfg, dataset)['coco/bbox_mAP'] == pytest.approx(2 / 3, abs=1e-3)
