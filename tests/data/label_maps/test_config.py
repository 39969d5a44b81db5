"""`--data` on mmseg's own configs, and datasets built from the result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mmseg
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import DATASETS, METRICS, MODELS
from mmseg.utils import register_all_modules

from effnet_dense.data import use_data
from effnet_dense.data.config_walk import leaf_datasets
from effnet_dense.data.palette import palette
from tests.helpers.label_folder import CLASSES, label, write_folder, write_image, write_label


@pytest.fixture(scope='module', autouse=True)
def _mmseg_scope() -> Iterator[None]:
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_folder(tmp_path / 'set')


def mmseg_config(*names: str) -> Config:
    """Join base configs of mmseg's."""
    bases = Path(mmseg.__file__).parent / '.mim' / 'configs' / '_base_'
    cfg = Config({'default_scope': 'mmseg'})
    for name in names:
        cfg.merge_from_dict(dict(Config.fromfile(bases / f'{name}.py').items()))
    return cfg


def segmentor(data: str = 'ade20k') -> Config:
    return mmseg_config('models/upernet_r50', f'datasets/{data}')


@pytest.mark.parametrize('data', ['ade20k', 'cityscapes', 'pascal_voc12', 'pascal_voc12_aug'])
def test_fields_of_datasets(root: Path, data: str) -> None:
    cfg = segmentor(data)
    source = use_data(cfg, root)
    assert (source.classes, source.root) == (CLASSES, root)
    for loop, name in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        (dataset,) = leaf_datasets(cfg[f'{loop}_dataloader'].dataset)
        assert set(dataset) == {'type', 'data_root', 'data_prefix', 'metainfo', 'pipeline'}
        assert dataset.type == 'effnet_dense.LabelMapDataset'
        assert dataset.data_root == f'{root}/'
        assert dataset.data_prefix == {
            'img_path': f'images/{name}/',
            'seg_map_path': f'labels/{name}/',
        }
        assert dataset.metainfo.classes == CLASSES
        assert len(dataset.metainfo.palette) == 3
        types = [step.type for step in dataset.pipeline]
        assert types.count('effnet_dense.LoadLabelMap') == 1 and 'LoadAnnotations' not in types
    assert cfg.val_evaluator == {'type': 'IoUMetric', 'iou_metrics': ['mIoU']}
    heads = cfg.model.decode_head, cfg.model.auxiliary_head
    assert [head.num_classes for head in heads] == [3, 3]


def test_colours_of_the_same_classes_stay(root: Path) -> None:
    own = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    for classes, expected in ((CLASSES, own), (('a', 'b', 'c'), palette(3))):
        cfg = segmentor()
        cfg.val_dataloader.dataset.metainfo = dict(classes=classes, palette=own)
        use_data(cfg, root)
        assert cfg.val_dataloader.dataset.metainfo.palette == expected


def test_samples(root: Path) -> None:
    """Label 9 of the file is 255 in training; 0 stays a class, unlike in ADE20K."""
    cfg = segmentor()
    use_data(cfg, root)
    for loop, files in (('train', ['a.jpg', 'b.PNG']), ('val', ['c.jpg'])):
        pipeline = cfg[f'{loop}_dataloader'].dataset.pipeline
        kept = ('LoadImageFromFile', 'effnet_dense.LoadLabelMap', 'PackSegInputs')
        cfg[f'{loop}_dataloader'].dataset.pipeline = [s for s in pipeline if s.type in kept]
        dataset = DATASETS.build(cfg[f'{loop}_dataloader'].dataset)
        assert tuple(dataset.metainfo['classes']) == CLASSES
        samples = [dataset[i] for i in range(len(dataset))]
        assert [Path(s['data_samples'].img_path).name for s in samples] == files
        maps = [s['data_samples'].gt_sem_seg.data[0].numpy() for s in samples]
        expected = {'train': [label(0, 1), label(2, 2, 2, 255)], 'val': [label(0, 1, 2, 255)]}
        np.testing.assert_array_equal(maps, expected[loop])


def test_complete_pipelines_run(root: Path) -> None:
    cfg = segmentor()
    use_data(cfg, root)
    for loop in ('train', 'val'):
        dataset = DATASETS.build(cfg[f'{loop}_dataloader'].dataset)
        values = np.unique(dataset[0]['data_samples'].gt_sem_seg.data)
        assert set(values) <= {0, 1, 2, 255} and len(values) > 1


def test_perfect_predictions_score_100(root: Path) -> None:
    cfg = segmentor()
    use_data(cfg, root)
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    metric = METRICS.build(cfg.val_evaluator)
    metric.dataset_meta = dataset.metainfo
    truth = dataset[0]['data_samples'].gt_sem_seg
    found = truth.clone()
    found.data = found.data.clone()
    found.data[found.data == 255] = 1  # what is predicted there does not count
    sample = {'pred_sem_seg': {'data': found.data}, 'gt_sem_seg': {'data': truth.data}}
    metric.process({}, [sample])
    assert metric.evaluate(1)['mIoU'] == 100.0


def test_mixed_suffixes(root: Path) -> None:
    for name in ('d.jpeg', 'e.bmp', 'f.TIF', 'town.b/g.webp'):
        write_image(root / 'images/train' / name)
        write_label((root / 'labels/train' / name).with_suffix('.png'), label(0, 1, 2, 2))
    cfg = segmentor()
    use_data(cfg, root)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    names = [Path(dataset.get_data_info(i)['img_path']).name for i in range(len(dataset))]
    assert names == ['a.jpg', 'b.PNG', 'd.jpeg', 'e.bmp', 'f.TIF', 'g.webp']


def test_wrapped_datasets_and_those_of_several(root: Path) -> None:
    cfg = segmentor()
    dataset = cfg.train_dataloader.dataset
    several = {'type': 'ConcatDataset', 'datasets': [dataset, dataset]}
    cfg.train_dataloader.dataset = {'type': 'RepeatDataset', 'times': 3, 'dataset': several}
    use_data(cfg, root)
    built = DATASETS.build(cfg.train_dataloader.dataset)
    assert len(built) == 6
    assert tuple(built.metainfo['classes']) == CLASSES


def test_what_else_a_config_says_stays(root: Path) -> None:
    cfg = segmentor()
    cfg.train_dataloader.dataset.indices = 1
    cfg.train_dataloader.dataset.ann_file = 'train.txt'
    cfg.train_dataloader.dataset.reduce_zero_label = True
    crop = cfg.train_dataloader.dataset.pipeline[3].to_dict()
    batch = cfg.train_dataloader.batch_size
    use_data(cfg, root)
    assert cfg.train_dataloader.dataset.pipeline[3] == crop
    assert cfg.train_dataloader.batch_size == batch
    built = DATASETS.build(cfg.train_dataloader.dataset)
    assert len(built) == 1
    assert built.metainfo['reduce_zero_label'] is False


def test_ignored_everywhere_is_255(root: Path) -> None:
    cfg = segmentor()
    cfg.val_evaluator = [{'type': 'IoUMetric', 'ignore_index': 0}]
    cfg.model.decode_head.ignore_index = 0
    use_data(cfg, root)
    assert cfg.val_evaluator[0].ignore_index == 255
    assert cfg.model.decode_head.ignore_index == 255


def test_augmentation_at_test_time(root: Path) -> None:
    cfg = segmentor()
    use_data(cfg, root)
    (loader,) = cfg.tta_pipeline[1].transforms[2]
    assert loader == {'type': 'effnet_dense.LoadLabelMap', 'num_classes': 3, 'ignore': 9}


def test_to_test_val_is_enough(root: Path) -> None:
    (root / 'images/train').rename(root / 'elsewhere')
    cfg = segmentor()
    use_data(cfg, root, splits=('val',))
    assert cfg.test_dataloader.dataset.data_root == f'{root}/'
    assert cfg.train_dataloader.dataset.type == 'ADE20KDataset'
    assert cfg.model.decode_head.num_classes == 3


def test_config_without_evaluation(root: Path) -> None:
    cfg = segmentor()
    cfg.val_dataloader = cfg.val_evaluator = None
    for key in ('test_dataloader', 'test_evaluator', 'tta_pipeline'):
        cfg.pop(key)
    use_data(cfg, root)
    assert cfg.val_dataloader is None


def test_config_survives_dump_and_load(root: Path, tmp_path: Path) -> None:
    cfg = segmentor()
    use_data(cfg, root)
    cfg.dump(tmp_path / 'dumped.py')
    again = Config.fromfile(tmp_path / 'dumped.py')
    assert len(DATASETS.build(again.train_dataloader.dataset)) == 2


MODELS_OF_MMSEG = ['pointrend_r50', 'fcn_unet_s5-d16', 'deeplabv3plus_r50-d8', 'segformer_mit-b0']


@pytest.mark.parametrize('model', MODELS_OF_MMSEG)
def test_heads_of_mmseg(root: Path, model: str) -> None:
    cfg = mmseg_config(f'models/{model}', 'datasets/cityscapes')
    use_data(cfg, root)
    heads = cfg.model.decode_head
    for head in heads if isinstance(heads, list) else [heads]:
        built = MODELS.build(head)
        last = built.fc_seg if head.type == 'PointHead' else built.conv_seg
        assert last.out_channels == 3


def refusal(cfg: Config, root: Path) -> str:
    with pytest.raises(ValueError, match='--data needs a config for label maps') as error:
        use_data(cfg, root)
    return str(error.value)


def test_data_of_other_tasks_is_rejected(root: Path) -> None:
    for name, words in {
        'levir_256x256': 'img_path and seg_map_path in train_dataloader, got LEVIRCDDataset with '
        'img_path2',
        'nyu': 'in train_dataloader, got NYUDataset with depth_map_path',
    }.items():
        assert words in refusal(segmentor(name), root)
    cfg = segmentor()
    cfg.val_dataloader.dataset.pipeline.pop(2)
    words = 'LoadAnnotations or effnet_dense.LoadLabelMap in val_dataloader, got LoadImageFromFile'
    assert words in refusal(cfg, root)


def test_a_metric_of_one_dataset_is_rejected(root: Path) -> None:
    cfg = segmentor('cityscapes')
    cfg.test_evaluator = [cfg.val_evaluator, {'type': 'CityscapesMetric', 'output_dir': '.'}]
    assert 'an IoUMetric in test_evaluator, got CityscapesMetric' in refusal(cfg, root)


def test_model_without_heads_is_rejected(root: Path) -> None:
    cfg: Any = segmentor()
    cfg.model = {'type': 'Other', 'net': {'num_classes': 80}}
    with pytest.raises(ValueError, match=r"no head with num_classes in \['net', 'type'\]"):
        use_data(cfg, root)


def test_summary_reaches_the_user(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    use_data(segmentor(), root)
    assert 'pixels: sky 24 (25.0%), road 24' in ''.join(capsys.readouterr())
