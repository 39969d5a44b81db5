"""Names of results before an evaluation, against those that it returns."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric, CocoPanopticMetric, VOCMetric
from mmengine.logging import MMLogger
from mmseg.evaluation import IoUMetric

from effnet_dense.evaluation import ConfusionMatrix
from effnet_dense.evaluation.metric_names import result_names
from effnet_dense.evaluation.no_detections import use_zeros
from tests.helpers.tiny import CLASSES


def coco(data: Path, **arguments: Any) -> CocoMetric:
    """A metric on the tiny data, with one found box in each image."""
    metric = CocoMetric(ann_file=str(data / 'annotations' / 'val.json'), **arguments)
    metric.dataset_meta = dict(classes=CLASSES)
    found = dict(
        bboxes=torch.tensor([[2.0, 2.0, 26.0, 26.0]]),
        scores=torch.tensor([0.9]),
        labels=torch.tensor([0]),
        masks=torch.ones(1, 64, 64, dtype=torch.bool),
    )
    for image in (1, 2):
        sample = dict(pred_instances=found, img_id=image, ori_shape=(64, 64))
        metric.process({}, [sample])
    return metric


@pytest.mark.parametrize(
    'arguments',
    [
        {},
        {'metric': ['bbox', 'segm'], 'classwise': True},
        {'metric_items': ['mAP', 'AR@100'], 'prefix': 'own'},
        {'metric': ['proposal', 'proposal_fast']},
    ],
)
def test_results_of_coco(arguments: dict[str, Any], tiny_data: Path) -> None:
    metric = coco(tiny_data, **arguments)
    assert result_names(metric) == metric.evaluate(2).keys()


@pytest.mark.parametrize('kinds', ['mIoU', ['mIoU', 'mDice', 'mFscore'], ['mFscore']])
def test_results_of_label_maps(kinds: Any) -> None:
    metric = IoUMetric(iou_metrics=kinds, prefix='maps')
    metric.dataset_meta = dict(classes=('a', 'b'))
    labels = torch.tensor([[[0, 1]]])
    metric.process({}, [dict(pred_sem_seg=dict(data=labels), gt_sem_seg=dict(data=labels))])
    assert result_names(metric) == metric.evaluate(1).keys()


def test_results_of_voc() -> None:
    metric = VOCMetric(iou_thrs=[0.5, 0.75])
    metric.dataset_meta = dict(classes=('a',))
    boxes = np.array([[1, 1, 9, 9, 0.9]], dtype=np.float32)
    truth = dict(bboxes=boxes[:, :4], labels=np.zeros(1, int), bboxes_ignore=boxes[:0, :4])
    metric.results.append(({**truth, 'labels_ignore': np.zeros(0, int)}, [boxes]))
    assert result_names(metric) == metric.evaluate(1).keys()


def test_other_metrics() -> None:
    assert len(result_names(CocoPanopticMetric()) or ()) == 9
    assert result_names(ConfusionMatrix()) == set()
    assert result_names(CocoMetric(format_only=True, outfile_prefix='x')) == set()


@pytest.mark.parametrize(
    ('metric', 'words'),
    [
        (IoUMetric(iou_metrics=['mIou']), r'iou_metrics must be of mIoU, .*, got .mIou.'),
        (CocoMetric(metric_items=['AP']), r'metric_items must be of mAP, .*, got .AP.'),
        (CocoMetric(metric_items='mAP'), r'metric_items must be a list'),
    ],
)
def test_results_that_a_metric_does_not_have(metric: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        result_names(metric)


def test_classes_with_results_of_their_own_are_unknown() -> None:
    class Own(CocoMetric):
        def compute_metrics(self, results: Any) -> dict[str, float]:
            return {'x': 1.0}

    class Same(CocoMetric):
        pass

    assert result_names(Own()) is None
    assert result_names(Same()) == result_names(CocoMetric())


@pytest.mark.parametrize(
    'arguments',
    [{}, {'metric': ['bbox', 'segm'], 'classwise': True}, {'metric': ['proposal_fast', 'bbox']}],
)
def test_no_detections_are_zeros(
    arguments: dict[str, Any], tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CocoMetric returns nothing, after an error."""
    metric = coco(tiny_data, **arguments)
    names = result_names(metric)
    for _, found in metric.results:
        found.update(
            bboxes=np.zeros((0, 4)), scores=np.zeros(0), labels=np.zeros(0, np.int64), masks=[]
        )
    use_zeros(SimpleNamespace(metrics=[metric]))
    use_zeros(SimpleNamespace(metrics=[metric]))
    records: list[Any] = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'callHandlers', records.append)
    values = metric.evaluate(2)
    assert set(values) == names and set(values.values()) == {0.0}
    text = '\n'.join(record.getMessage() for record in records)
    assert text.count('no detections: ') == 1 and 'is empty' not in text


def test_detections_keep_their_figures(tiny_data: Path) -> None:
    metric, plain = coco(tiny_data), coco(tiny_data)
    use_zeros(SimpleNamespace(metrics=[metric]))
    assert metric.evaluate(2) == plain.evaluate(2)
