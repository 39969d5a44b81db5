"""Data whose classes stand in another order than the checkpoint's, or have other names."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmdet.datasets import CocoDataset
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample

from effnet_dense.data.coco.label_order import classes_of, read_categories, use_label_order
from effnet_dense.engine import jobs
from effnet_dense.engine.checks.classes import label_map, other_classes_message
from effnet_dense.engine.config import load_config
from effnet_dense.evaluation.confusion import confusion_matrix
from effnet_dense.evaluation.mapped_classes import map_sample
from effnet_dense.inference import Predictor
from tests.helpers.own_truth import write_coco, write_label_maps
from tests.helpers.tiny import as_arguments, narrow_retinanet, options
from tests.helpers.tiny_models import CLASSES, DETECTOR, SEGMENTOR, detector, saved, segmentor
from tests.helpers.tool import call

ORDERS = [('square', 'bar', 'ring'), ('ring', 'square', 'bar'), ('bar', 'ring', 'square')]
Test = Callable[..., dict[str, Any]]


@pytest.fixture(scope='module')
def detecting(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Predictor]:
    """A checkpoint of a detector of three classes, and its predictor."""
    path = tmp_path_factory.mktemp('detector') / 'epoch_1.pth'
    saved(detector(), path)
    # Scores of random weights are nearly equal: larger ones let each class win somewhere.
    content = torch.load(path, weights_only=True)
    torch.manual_seed(1)
    content['state_dict']['bbox_head.retina_cls.weight'].normal_(0, 0.5)
    torch.save(content, path)
    return path, Predictor(detector(), path, 'cpu')


@pytest.fixture(scope='module')
def segmenting(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Predictor]:
    """A checkpoint of a segmentor of three classes, and its predictor."""
    path = saved(segmentor(), tmp_path_factory.mktemp('segmentor') / 'iter_1.pth')
    content = torch.load(path, weights_only=True)
    torch.manual_seed(1)
    content['state_dict']['decode_head.conv_seg.weight'].normal_(0, 5)
    torch.save(content, path)
    return path, Predictor(segmentor(), path, 'cpu')


@pytest.fixture
def tested(tmp_path: Path) -> Test:
    """Run tools/test.py's function; return metrics and what was logged."""

    def run(name: str, checkpoint: Path, data: Path | None, **options: Any) -> dict[str, Any]:
        work_dir = tmp_path / f'run_{len(list(tmp_path.iterdir()))}'
        more = {'test_dataloader.num_workers': 0, 'test_dataloader.persistent_workers': False}
        more['test_dataloader.dataset.pipeline.1.scale'] = (64, 64)
        if name == DETECTOR:
            more |= {**narrow_retinanet(), 'model.test_cfg.score_thr': 0.0}
            more['model.test_cfg.max_per_img'] = 5
        config = load_config(name, data, {**more, **options}, work_dir, splits=('val',))
        config.report = False
        found: dict[str, Any] = dict(jobs.test(config, str(checkpoint)))
        found['log'] = next(work_dir.glob('*/*.log')).read_text(encoding='utf-8')
        return found

    return run


def figures(found: dict[str, Any]) -> dict[str, float]:
    """The metrics, without times."""
    return {key: float(value) for key, value in found.items() if isinstance(value, Real)}


@pytest.mark.slow
def test_detections_are_mapped_by_name(
    detecting: tuple[Path, Predictor], tested: Test, tmp_path: Path
) -> None:
    checkpoint, predictor = detecting
    results = []
    for number, order in enumerate(ORDERS[:2]):
        data = write_coco(tmp_path / f'data_{number}', predictor, order)
        results.append(tested(DETECTOR, checkpoint, data))
    assert figures(results[0])['coco/bbox_mAP'] > 0.5
    assert figures(results[0]) == figures(results[1])
    assert 'mapped by name' not in results[0]['log']
    log = results[1]['log']
    assert '(square, bar, ring), test_dataloader has 3 classes (ring, square, bar)' in log
    assert 'predictions are mapped by name' in log


@pytest.mark.slow
def test_a_subset_of_the_classes(
    detecting: tuple[Path, Predictor], tested: Test, tmp_path: Path
) -> None:
    checkpoint, predictor = detecting
    kept = ('ring', 'square')
    all_classes = write_coco(tmp_path / 'all', predictor, CLASSES, kept)
    fewer = write_coco(tmp_path / 'fewer', predictor, kept)
    first, second = tested(DETECTOR, checkpoint, all_classes), tested(DETECTOR, checkpoint, fewer)
    assert figures(first)['coco/bbox_mAP'] > 0.5 and figures(first) == figures(second)
    assert 'predictions of bar are left out' in second['log']


@pytest.mark.parametrize(
    ('names', 'words'),
    [
        (('square', 'Bar', 'ring'), "'Bar' (nearest: 'bar')"),
        (('square', 'bar ', 'ring'), "'bar ' (nearest: 'bar')"),
        (('square', 'bars', 'ring'), "'bars' (nearest: 'bar')"),
        (('cat', 'dog'), "'cat', 'dog'"),
        (('square', 'bar', 'ring', 'extra'), "not 'extra'"),
        (('square', 'bar', 'bar'), 'twice'),
    ],
)
def test_other_names_are_an_error(names: tuple[str, ...], words: str) -> None:
    with pytest.raises(ValueError, match=r'^x\.pth was trained with 3 classes') as raised:
        label_map(CLASSES, names, 'x.pth')
    assert words in str(raised.value) and '\n' not in str(raised.value)


def test_spelling_of_cocos_names() -> None:
    with pytest.raises(ValueError, match=r"not 'traffic_light' \(nearest: 'traffic light'\)"):
        label_map(('stop sign', 'traffic light'), ('stop sign', 'traffic_light'), 'x.pth')


@pytest.mark.slow
def test_the_tool_names_other_classes(
    detecting: tuple[Path, Predictor], tested: Test, tmp_path: Path
) -> None:
    checkpoint, predictor = detecting
    data = write_coco(tmp_path / 'data', predictor, CLASSES)
    file = data / 'annotations' / 'val.json'
    file.write_text(file.read_text(encoding='utf-8').replace('"bar"', '"Bar"'), encoding='utf-8')
    with pytest.raises(ValueError, match=r"epoch_1\.pth was trained .* not 'Bar' \(nearest: 'bar'"):
        tested(DETECTOR, checkpoint, data)


def in_place_of(data: Path, classes: Sequence[str]) -> dict[str, Any]:
    """Options that point the config at data without `--data`, with classes in an order."""
    dataset = 'test_dataloader.dataset'
    return {
        f'{dataset}.data_root': f'{data}/',
        f'{dataset}.ann_file': 'annotations/val.json',
        f'{dataset}.data_prefix.img': 'images/val/',
        f'{dataset}.metainfo.classes': tuple(classes),
        'test_evaluator.ann_file': f'{data}/annotations/val.json',
        'model.bbox_head.num_classes': len(classes),
    }


@pytest.mark.slow
def test_the_files_order_counts_not_that_of_the_config(
    detecting: tuple[Path, Predictor], tested: Test, tmp_path: Path
) -> None:
    """mmdet numbers labels by the file's categories and takes their names from the config."""
    checkpoint, predictor = detecting
    marked = torch.load(checkpoint, weights_only=True)
    marked['meta']['effnet_dense_config'] = '{}'
    current = tmp_path / 'current.pth'
    torch.save(marked, current)
    matching = write_coco(tmp_path / 'matching', predictor, CLASSES)
    other = write_coco(tmp_path / 'other', predictor, ORDERS[1])
    expected = figures(tested(DETECTOR, current, matching))
    assert figures(tested(DETECTOR, current, None, **in_place_of(matching, ORDERS[2]))) == expected
    assert figures(tested(DETECTOR, current, None, **in_place_of(other, CLASSES))) == expected
    assert figures(tested(DETECTOR, current, None, **in_place_of(other, ORDERS[2]))) == expected
    # An earlier checkpoint took its names from this config, and its labels from this file.
    old = torch.load(checkpoint, weights_only=True)
    old['meta']['dataset_meta']['classes'] = ORDERS[2]
    torch.save(old, tmp_path / 'old.pth')
    found = tested(DETECTOR, tmp_path / 'old.pth', None, **in_place_of(matching, ORDERS[2]))
    assert figures(found) == expected and 'order of the file' in found['log']


@pytest.mark.slow
def test_label_maps_are_mapped_by_name(
    segmenting: tuple[Path, Predictor], tested: Test, tmp_path: Path
) -> None:
    checkpoint, predictor = segmenting
    order = ('ring', 'square', 'bar')
    # The wrong pixels are of the class with index 0: the same one in both orders.
    results = []
    for number, names in enumerate((CLASSES, order)):
        data = write_label_maps(tmp_path / f'data_{number}', predictor, names)
        if number:
            _shift_wrong_pixels(data, names.index(CLASSES[0]))
        results.append(tested(SEGMENTOR, checkpoint, data))
    assert 50 < figures(results[0])['mIoU'] < 100
    assert figures(results[0]) == figures(results[1])
    assert 'predictions are mapped by name' in results[1]['log']


def _shift_wrong_pixels(data: Path, value: int) -> None:
    for path in (data / 'labels' / 'val').iterdir():
        values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        values[:4] = value
        cv2.imwrite(str(path), values)


@pytest.mark.slow
def test_pixels_of_other_classes_are_missed(
    segmenting: tuple[Path, Predictor], tested: Test, tmp_path: Path
) -> None:
    checkpoint, predictor = segmenting
    data = write_label_maps(tmp_path / 'data', predictor, ('bar', 'ring'))
    found = tested(SEGMENTOR, checkpoint, data, **{'test_evaluator.0.iou_metrics': ['mIoU']})
    assert 'predictions of square are left out' in found['log']
    assert figures(found)['mIoU'] > 50


def test_predictors_have_the_checkpoints_names(detecting: tuple[Path, Predictor]) -> None:
    assert detecting[1].dataset_meta['classes'] == CLASSES
    config: Config = detector()
    config.test_dataloader.dataset.metainfo = dict(classes=('x', 'y', 'z'))
    assert Predictor(config, detecting[0], 'cpu').dataset_meta['classes'] == CLASSES


CATEGORIES = [dict(id=9, name='ring'), dict(id=2, name='square'), dict(id=5, name='bar')]


def coco_dataset(path: Path, classes: Sequence[str], test_mode: bool, **more: Any) -> Any:
    """A data set of one image without objects."""
    image = dict(id=1, file_name='a.png', width=8, height=8)
    content = dict(images=[image], annotations=[], categories=CATEGORIES, **more)
    path.write_text(json.dumps(content), encoding='utf-8')
    metainfo = dict(classes=tuple(classes), palette=[(i, i, i) for i in range(len(classes))])
    return CocoDataset(
        ann_file=str(path), metainfo=metainfo, test_mode=test_mode, data_prefix=dict(img='')
    )


def test_names_are_put_into_the_order_of_labels(tmp_path: Path) -> None:
    for more in ({}, {'info': {'categories': 1}}, {'note': '"categories": [{"id": 1}]'}):
        dataset = coco_dataset(tmp_path / 'a.json', ('bar', 'ring', 'square'), False, **more)
        use_label_order(dataset)
        assert dataset.metainfo['classes'] == ('ring', 'square', 'bar')
        assert dataset.metainfo['palette'] == [(1, 1, 1), (2, 2, 2), (0, 0, 0)]
        assert read_categories(tmp_path / 'a.json') == CATEGORIES


def test_wrapped_data_sets_are_renamed_too(tmp_path: Path) -> None:
    parts = [
        coco_dataset(tmp_path / f'{n}.json', ('bar', 'ring', 'square'), False) for n in range(2)
    ]
    for wrapped in (ConcatDataset(parts), RepeatDataset(parts[0], 2)):
        use_label_order(wrapped)
        assert classes_of(wrapped) == classes_of(parts[0]) == ('ring', 'square', 'bar')
    assert classes_of(parts[1]) == ('ring', 'square', 'bar')


def test_a_training_file_that_lacks_classes_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / 'a.json'
    with pytest.raises(ValueError, match=r"a\.json lacks 1 of the 3 .* 'Square' \(nearest: 'squ"):
        use_label_order(coco_dataset(path, ('ring', 'Square', 'bar'), False))
    with pytest.raises(ValueError, match=r"lacks 1 of the 1 .* 'x'"):
        use_label_order(coco_dataset(path, ('x',), True))
    tested = coco_dataset(path, ('ring', 'x', 'bar'), True)
    use_label_order(tested)  # predictions are mapped by name
    assert tested.metainfo['classes'] == ('ring', 'bar')
    last = coco_dataset(path, ('ring', 'square', 'bar', 'x'), False)
    use_label_order(last)  # no label is shifted
    assert last.metainfo['classes'] == ('ring', 'square', 'bar', 'x')


def test_predictions_of_every_kind_are_renumbered() -> None:
    labels, panoptic = torch.tensor([2, 0, 1, 2]), torch.tensor([[[0, 1001, 2, 3, 3002]]])
    sample = DetDataSample(
        pred_instances=InstanceData(
            labels=labels, scores=torch.arange(4.0), masks=np.zeros((4, 2, 2), bool)
        ),
        pred_panoptic_seg=PixelData(sem_seg=panoptic),
        pred_sem_seg=PixelData(sem_seg=torch.tensor([[[0, 1, 2, 255]]])),
    )
    map_sample(sample, (1, -1, 0), 2)
    assert sample.pred_instances.labels.tolist() == [0, 1, 0]
    assert sample.pred_instances.scores.tolist() == [0, 1, 3]
    assert sample.pred_instances.masks.shape == (3, 2, 2)
    # 2 is the data's void: the class that it lacks, and the model's void, 3.
    assert sample.pred_panoptic_seg.sem_seg.tolist() == [[[1, 2, 0, 2, 3000]]]
    assert sample.pred_sem_seg.sem_seg.tolist() == [[[1, 255, 0, 255]]]
    pixels = SegDataSample(
        pred_sem_seg=PixelData(data=torch.tensor([[[0, 2]]])),
        seg_logits=PixelData(data=torch.arange(3.0)[:, None, None].expand(3, 1, 2)),
    )
    map_sample(pixels, (1, -1, 0), 2)
    assert pixels.pred_sem_seg.data.tolist() == [[[1, 0]]]
    assert pixels.seg_logits.data[:, 0, 0].tolist() == [2, 0]


def test_pixels_of_other_classes_are_a_column_of_their_own() -> None:
    matrix = confusion_matrix(torch.tensor([[0, 1, 255, 255]]), torch.tensor([[0, 0, 1, 255]]), 2)
    assert matrix.tolist() == [[1, 1, 0], [0, 0, 1]]


def test_training_from_other_classes_is_described() -> None:
    loaded, missing = ['backbone.w', 'bbox_head.w'], ['mask_head.w']
    text = other_classes_message(('a', 'b'), ('b', 'c'), loaded, missing)
    assert '2 classes (a, b)' in text and '2 classes (b, c)' in text
    assert 'mask_head begins with new weights' in text
    assert "load_from_ignore=['bbox_head.']" in text
    assert other_classes_message(('a', 'b'), ('a', 'b'), loaded, missing) == ''


def test_what_training_begins_with_is_logged(
    detecting: tuple[Path, Predictor], tiny_data: Path, tmp_path: Path
) -> None:
    changes = {**options(), **narrow_retinanet(), 'load_from': str(detecting[0])}
    changes |= {'load_from_ignore': '[bbox_head.]', 'report': False}
    words = as_arguments(changes)
    work_dir = tmp_path / 'run'
    assert call('train', DETECTOR, '--data', tiny_data, '--work-dir', work_dir, *words) == 0
    log = next(work_dir.glob('*/*.log')).read_text(encoding='utf-8')
    assert 'load_from was trained with 3 classes (square, bar, ring), this run has 2' in log
    assert 'bbox_head begins with new weights' in log
