"""`--classes`: some classes, in an order of one's own, in training, validation and testing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import mmdet
import mmseg
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from effnet_dense.engine.config import load_config
from effnet_dense.engine.runner import Runner
from effnet_dense.engine.settings.classes import set_classes
from effnet_dense.settings import Settings
from tests.helpers.class_counts import num_classes
from tests.helpers.semantic_data import IGNORED, quarters, write_ade20k
from tests.helpers.setting_runs import tiny_run
from tests.helpers.tiny import write_data

NAME = 'effnet_lite0_retinanet_finetune'
SEGMENTOR = 'effnet_lite0_fpn_camvid'
CHOSEN = Settings(classes=('bar', 'square'))
LOOPS = ('train', 'val', 'test')


def built(config: Config, loop: str) -> Any:
    with DefaultScope.overwrite_default_scope(config.default_scope):
        return DATASETS.build(config[f'{loop}_dataloader'].dataset)


def labels(dataset: Any) -> list[list[int]]:
    return [
        [instance['bbox_label'] for instance in dataset.get_data_info(i)['instances']]
        for i in range(len(dataset))
    ]


def test_order_of_one_s_own(tmp_path: Path) -> None:
    data = write_data(tmp_path / 'data')
    config = load_config(NAME, data, work_dir=tmp_path, settings=CHOSEN)
    assert config.model.bbox_head.num_classes == 2
    for loop in LOOPS:
        dataset = built(config, loop)
        assert dataset.metainfo['classes'] == ('bar', 'square')
        boxes = {
            instance['bbox_label']: instance['bbox'][2] - instance['bbox'][0]
            for instance in dataset.get_data_info(0)['instances']
        }
        assert boxes == {0: 8, 1: 24}  # bars are narrow
    for loop in ('val', 'test'):
        assert config[f'{loop}_evaluator'].ann_file == config.val_dataloader.dataset.ann_file


def test_other_objects_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_data(tmp_path / 'data')
    path = data / 'annotations' / 'train.json'
    content = json.loads(path.read_text(encoding='utf-8'))
    # One image has no bar: `filter_empty_gt` leaves it out of the training.
    content['annotations'] = [
        a for a in content['annotations'] if (a['image_id'], a['category_id']) != (1, 2)
    ]
    path.write_text(json.dumps(content), encoding='utf-8')
    config = load_config(NAME, data, work_dir=tmp_path, settings=Settings(classes=('bar',)))
    assert labels(built(config, 'train')) == [[0]] * 3
    assert labels(built(config, 'test')) == [[0]] * 2
    assert config.model.bbox_head.num_classes == 1
    out = capsys.readouterr().out
    assert 'train_dataloader keeps 3 objects of bar in 3 of 4 images; left out: 4 objects ' in out
    assert path.read_text(encoding='utf-8') == json.dumps(content)


@pytest.mark.slow
def test_a_detector_is_trained_and_evaluated(tmp_path: Path) -> None:
    data = write_data(tmp_path / 'data', train=2, val=1)
    settings = Settings(classes=('bar',), weights='none', image_size=(64, 64))
    config = tiny_run(NAME, data, tmp_path / 'run', settings, **{'model.test_cfg.score_thr': 0.0})
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.model.bbox_head.num_classes == 1
    assert runner.val_dataloader.dataset.metainfo['classes'] == ('bar',)
    results = runner.test()
    assert 'coco/bbox_mAP' in results


def test_data_of_the_config(tmp_path: Path) -> None:
    data = write_data(tmp_path / 'data', classes=('car', 'person'))
    config = load_config(NAME, work_dir=tmp_path)
    for loop, split in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        dataset = config[f'{loop}_dataloader'].dataset
        dataset.data_root = f'{data}/'
        dataset.ann_file = f'annotations/{split}.json'
        dataset.data_prefix.img = f'images/{split}/'
        if loop != 'train':
            config[f'{loop}_evaluator'].ann_file = str(data / 'annotations' / 'val.json')
    set_classes(config, ('person',), tmp_path / 'scratch')
    assert labels(built(config, 'train')) == [[0]] * 4
    assert config.test_evaluator.ann_file == config.test_dataloader.dataset.ann_file
    assert config.test_dataloader.dataset.metainfo.palette == [(220, 20, 60)]
    assert set(num_classes(config.model).values()) == {1}


def test_a_test_needs_no_training_data(tmp_path: Path) -> None:
    data = write_data(tmp_path / 'data')
    config = load_config(NAME, data, work_dir=tmp_path, splits=('val',), settings=CHOSEN)
    assert config.train_dataloader.dataset.ann_file == 'annotations/instances_train2017.json'
    assert built(config, 'test').metainfo['classes'] == ('bar', 'square')


def test_missing_annotations_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'instances_train2017\.json'):
        load_config(NAME, work_dir=tmp_path, settings=Settings(classes=('person',)))


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        (('sqare',), r"no class 'sqare' \(nearest: 'square'\); their 2 classes: square, bar"),
        (('bar', 'bar'), 'different names of classes, got bar twice'),
    ],
)
def test_wrong_names(names: tuple[str, ...], message: str, tmp_path: Path) -> None:
    data = write_data(tmp_path / 'data')
    with pytest.raises(ValueError, match=message):
        load_config(NAME, data, work_dir=tmp_path, settings=Settings(classes=names))


def test_a_refused_run_leaves_nothing(tmp_path: Path) -> None:
    """A ZIP file is unpacked before its classes are known."""
    data = shutil.make_archive(str(tmp_path / 'data'), 'zip', write_data(tmp_path / 'plain'))
    wrong = Settings(classes=('person',))
    for folder in (tmp_path / 'new' / 'run', tmp_path / 'used'):
        if folder.name == 'used':
            (folder / 'data').mkdir(parents=True)
            (folder / 'data' / 'mine').touch()
        with pytest.raises(ValueError, match="no class 'person'"):
            load_config(NAME, data, work_dir=folder, settings=wrong)
    assert not (tmp_path / 'new').exists() and (tmp_path / 'used' / 'data' / 'mine').exists()


def seg_map(dataset: Any, index: int = 0) -> np.ndarray:
    return dataset[index]['data_samples'].gt_sem_seg.data.numpy()[0]


def test_label_maps_of_a_folder(tmp_path: Path) -> None:
    """Pixels of other classes are ignored; labels are positions in the given order."""
    data = write_data(tmp_path / 'data')
    plain = load_config(SEGMENTOR, data, work_dir=tmp_path / 'a')
    classes = tuple(plain.train_dataloader.dataset.metainfo['classes'])
    chosen = ('bar', 'background') if 'background' in classes else classes[1:][::-1]
    config = load_config(
        SEGMENTOR, data, work_dir=tmp_path / 'b', settings=Settings(classes=chosen)
    )
    before, after = (seg_map(built(c, 'test')) for c in (plain, config))
    expected = np.full_like(before, IGNORED)
    for label, name in enumerate(chosen):
        expected[before == classes.index(name)] = label
    assert (after == expected).all()
    assert set(np.unique(after)) >= {0, 1}
    assert set(num_classes(config.model).values()) == {2}
    for step in (config.tta_pipeline[1].transforms[2][0],):
        assert step == config.test_dataloader.dataset.pipeline[2]


def test_label_maps_of_a_named_data_set(tmp_path: Path) -> None:
    """ADE20K's classes are known to its type, which renumbers by `metainfo.classes`."""
    write_ade20k(tmp_path / 'ade', [quarters()], [quarters()])
    config = load_config('effnet_b0_fpn_ade20k', work_dir=tmp_path)
    for loop in LOOPS:
        config[f'{loop}_dataloader'].dataset.data_root = str(tmp_path / 'ade')
    set_classes(config, ('sky', 'wall'), tmp_path / 'scratch')  # 2 and 0
    found = seg_map(built(config, 'test'))
    expected = np.array([IGNORED, 1, IGNORED, 0]).repeat(24)
    assert (found == expected[None]).all()
    assert set(num_classes(config.model).values()) == {2}


def test_weights_of_classes_follow_their_names() -> None:
    config = load_config(SEGMENTOR)
    set_classes(config, ('car', 'sky'), Path('unused'))
    assert config.model.decode_head.loss_decode[0].class_weight == [0.91, 0.63]
    values = config.test_dataloader.dataset.pipeline[2]['values']
    assert (values['8'], values['0'], values['1'], values['11']) == (0, 1, IGNORED, IGNORED)
    assert config.test_dataloader.dataset.metainfo.palette[0] == [64, 0, 128]


def test_mmseg_loader_with_names_in_the_config() -> None:
    path = Path(mmseg.__file__).parent / '.mim/configs/fcn/fcn_r50-d8_4xb4-80k_ade20k-512x512.py'
    config = Config.fromfile(path)
    for loop in LOOPS:
        dataset = config[f'{loop}_dataloader'].dataset
        dataset.type, dataset.metainfo = 'BaseSegDataset', dict(classes=('a', 'b', 'c'))
    set_classes(config, ('c', 'a'), Path('unused'))
    step = config.train_dataloader.dataset.pipeline[1]
    # 0 has no class (reduce_zero_label), 1 … 3 are a, b and c.
    expected = {'0': IGNORED, '1': 1, '2': IGNORED, '3': 0, '255': IGNORED}
    assert (step.type, step['values']) == ('effnet_dense.LoadLabelMap', expected)
    assert 'reduce_zero_label' not in config.train_dataloader.dataset


@pytest.mark.parametrize(
    ('name', 'classes', 'message'),
    [
        (SEGMENTOR, ('car',), 'name at least two'),
        ('effnet_b3_panoptic_fpn_coco', ('person',), 'panoptic'),
        ('crowddet/crowddet-rcnn_r50_fpn_8xb2-30e_crowdhuman.py', ('person',), 'of its own'),
    ],
)
def test_what_has_no_classes_to_choose(name: str, classes: tuple[str, ...], message: str) -> None:
    if name.endswith('.py'):
        config = Config.fromfile(Path(mmdet.__file__).parent / '.mim' / 'configs' / name)
    else:
        config = load_config(name)
    with pytest.raises(ValueError, match=f'--classes {classes[0]}.*{message}'):
        set_classes(config, classes, Path('unused'))


def test_voc_numbers_by_the_config(tmp_path: Path) -> None:
    path = 'pascal_voc/retinanet_r50_fpn_1x_voc0712.py'
    config = Config.fromfile(Path(mmdet.__file__).parent / '.mim' / 'configs' / path)
    set_classes(config, ('dog', 'cat'), tmp_path)
    for loop in LOOPS:
        text = str(config[f'{loop}_dataloader'].dataset)
        assert "'classes': ('dog', 'cat')" in text
    assert config.model.bbox_head.num_classes == 2
    assert not list(tmp_path.iterdir())
