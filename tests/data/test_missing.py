"""A config whose data are not there says so before training, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.config import Config

from effnet_dense.data import check_data_files, use_data


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


def test_missing_coco_says_where_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_missing_panoptic_coco_says_where_to_get_it(
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


def test_other_data_sets_and_backends() -> None:
    dataset = {
        'type': 'ADE20KDataset',
        'data_root': '/no/ade',
        'data_prefix': {'img_path': 'images', 'seg_map_path': 'annotations'},
    }
    cfg = Config({'train_dataloader': {'dataset': dataset}})
    with pytest.raises(FileNotFoundError) as error:
        check_data_files(cfg)
    assert '/no/ade/images' in str(error.value) and 'ADE20KDataset' in str(error.value)
    assert 'cocodataset' not in str(error.value)
    cfg.train_dataloader.dataset.data_root = 's3://bucket/ade'
    check_data_files(cfg)
