"""The confusion matrix by hand, its worst classes in words, and its figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.visualization import Visualizer
from mmseg.evaluation.metrics import IoUMetric

from effnet_dense.engine.console import Short
from effnet_dense.evaluation import ConfusionMatrix
from effnet_dense.evaluation.confusion import (
    confusion_matrix,
    intersection_over_union,
    without_others,
    worst_classes,
)
from effnet_dense.evaluation.figure import confusion_figure
from effnet_dense.report.charts import most_confused
from effnet_dense.report.segmentation import accuracy, evaluate

IGNORE = 255
CLASSES = ('road', 'pole', 'sign')
# Truth by prediction: road 4 right; pole 1 right, 2 as road, 1 as sign; no sign.
MATRIX = np.array([[4, 0, 0], [2, 1, 1], [0, 0, 0]])
LABEL = torch.tensor([[0, 0, 0, 0, IGNORE], [1, 1, 1, 1, IGNORE]])
PREDICTION = torch.tensor([[0, 0, 0, 0, 2], [0, 0, 1, 2, 1]])


def counts(prediction: torch.Tensor, label: torch.Tensor, **more: int) -> np.ndarray:
    """The matrix of three classes."""
    return without_others(confusion_matrix(prediction, label, 3, **more).numpy())


def test_the_ious_are_those_of_the_metric() -> None:
    """Also where pixels were predicted as a class that the data lacks, 255."""
    torch.manual_seed(0)
    labels = torch.randint(0, 4, (2, 9, 9))
    labels[labels == 3] = IGNORE
    predictions = torch.where(torch.rand(2, 9, 9) < 0.3, 255, torch.randint(0, 3, (2, 9, 9)))
    areas = [
        IoUMetric.intersect_and_union(*pair, 3, IGNORE)
        for pair in zip(predictions, labels, strict=True)
    ]
    total = [sum(parts) for parts in zip(*areas, strict=True)]
    expected = IoUMetric.total_area_to_metrics(*total)
    results = [
        dict(path='', matrix=confusion_matrix(*pair, 3).to_sparse())
        for pair in zip(predictions, labels, strict=True)
    ]
    matrix = evaluate(results).matrix
    assert matrix.shape == (3, 4)
    assert intersection_over_union(matrix) == pytest.approx(expected['IoU'])
    assert accuracy(matrix) == pytest.approx(expected['Acc'])
    assert 'a class that the data lacks' in worst_classes(matrix, CLASSES)
    assert confusion_figure(matrix, CLASSES, np.ones(3)).ndim == 3
    assert most_confused(matrix, 2).tolist() == most_confused(matrix[:, :3], 2).tolist()


def test_counts_by_hand() -> None:
    assert counts(PREDICTION, LABEL).tolist() == MATRIX.tolist()
    flipped = counts(PREDICTION, LABEL.clamp(max=2), ignore_index=1)
    assert flipped.tolist() == [[4, 0, 0], [0, 0, 0], [0, 1, 1]]


def test_iou_by_hand() -> None:
    # road 4 of 4 + 2; pole 1 of 4; sign 0 of the one that was predicted.
    assert intersection_over_union(MATRIX).tolist() == pytest.approx([4 / 6, 1 / 4, 0])
    assert np.isnan(intersection_over_union(np.diag([3, 0]))[1]), 'a class that is nowhere'


def test_worst_classes_in_words() -> None:
    lines = worst_classes(MATRIX, CLASSES, count=2).splitlines()
    assert lines == [
        'sign (IoU 0.000) was predicted as: nothing',
        'pole (IoU 0.250) was predicted as: road 50%, pole 25%, sign 25%',
    ]


def test_metric_adds_up_logs_and_draws(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[np.ndarray] = []
    backend = dict(type='LocalVisBackend')
    Visualizer.get_instance('confusion', vis_backends=[backend], save_dir=str(tmp_path))
    monkeypatch.setattr(
        'effnet_dense.evaluation.confusion.confusion_figure',
        lambda matrix, *rest: drawn.append(matrix) or confusion_figure(matrix, *rest),
    )
    metric = ConfusionMatrix(worst=1)
    metric.dataset_meta = dict(classes=CLASSES)
    sample = dict(
        pred_sem_seg=dict(data=PREDICTION[None]), gt_sem_seg=dict(data=LABEL[None].to(torch.uint8))
    )
    metric.process({}, [sample, sample])
    metric.process({}, [sample])
    records: list[Any] = []
    logger = MMLogger.get_current_instance()
    monkeypatch.setattr(logger, 'handle', records.append)
    assert metric.evaluate(3) == {}
    (line,) = [record for record in records if 'worst classes' in record.getMessage()]
    assert not Short().filter(line)
    assert drawn[0].tolist() == (3 * MATRIX).tolist()
    (path,) = (tmp_path / 'vis_data').rglob('confusion_matrix_*.png')
    assert cv2.imread(str(path)).shape[2] == 3


@pytest.mark.parametrize('count', [2, pytest.param(40, marks=pytest.mark.slow)])
def test_figure(count: int) -> None:
    matrix = np.eye(count) * 7
    matrix[0, 1] = 7
    figure = confusion_figure(matrix, [f'class {i}' for i in range(count)], np.ones(count))
    assert figure.dtype == np.uint8
    assert figure.shape[0] == figure.shape[1] > 300
    assert len(np.unique(figure.reshape(-1, 3), axis=0)) > 10
