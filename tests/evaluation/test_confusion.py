"""The confusion matrix by hand, its worst classes in words, and its figure."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.visualization import Visualizer

from effnet_dense.evaluation import ConfusionMatrix
from effnet_dense.evaluation.confusion import (
    confusion_matrix,
    intersection_over_union,
    worst_classes,
)
from effnet_dense.evaluation.figure import confusion_figure

IGNORE = 255
CLASSES = ('road', 'pole', 'sign')
# Truth by prediction: road 4 right; pole 1 right, 2 as road, 1 as sign; no sign.
MATRIX = np.array([[4, 0, 0], [2, 1, 1], [0, 0, 0]])
LABEL = torch.tensor([[0, 0, 0, 0, IGNORE], [1, 1, 1, 1, IGNORE]])
PREDICTION = torch.tensor([[0, 0, 0, 0, 2], [0, 0, 1, 2, 1]])


def test_counts_by_hand() -> None:
    assert confusion_matrix(PREDICTION, LABEL, 3).tolist() == MATRIX.tolist()
    flipped = confusion_matrix(PREDICTION, LABEL.clamp(max=2), 3, ignore_index=1)
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
    assert metric.evaluate(3) == {}
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
