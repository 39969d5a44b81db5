"""Count which classes a segmentation model confuses.

Shapes: C classes, H × W pixels; the matrix (C, C) counts pixels, truth by prediction. It has a
further column, (C, C + 1), where pixels were predicted as a class that the data lacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MessageHub, MMLogger
from mmengine.visualization import Visualizer
from torch import Tensor

from effnet_dense.evaluation.figure import confusion_figure
from effnet_dense.registry import METRICS


def confusion_matrix(
    prediction: Tensor, label: Tensor, num_classes: int, ignore_index: int = 255
) -> Tensor:
    """Count the pixels of each pair of true and predicted class.

    Args:
        prediction: (H, W), from 0 to C − 1; other values are those of a class that only the
            model has.
        label: (H, W), from 0 to C − 1, or `ignore_index`.

    Returns:
        (C, C + 1) int64, truth by prediction; the last column is of other classes.
    """
    counted = label != ignore_index
    found = prediction[counted].long()
    found = torch.where((found >= 0) & (found < num_classes), found, num_classes)
    columns = num_classes + 1
    pairs = label[counted].long() * columns + found
    return torch.bincount(pairs, minlength=num_classes * columns).view(num_classes, columns)


def without_others(matrix: np.ndarray) -> np.ndarray:
    """Return a matrix (C, C) for one (C, C + 1) if no pixel was predicted as another class."""
    classes = len(matrix)
    return matrix if matrix[:, classes:].any() else matrix[:, :classes]


def predicted_as(matrix: np.ndarray) -> np.ndarray:
    """Return the number of pixels (C,) that were predicted as each class."""
    return matrix.sum(0)[: len(matrix)]


def intersection_over_union(matrix: np.ndarray) -> np.ndarray:
    """Return each class's IoU (C,) from a confusion matrix; NaN for absent classes.

    As in mmseg's IoUMetric, pixels that were predicted as another class are missed.
    """
    hits = np.diag(matrix)
    union = predicted_as(matrix) + matrix.sum(1) - hits
    return np.divide(hits, union, out=np.full(len(hits), np.nan), where=union > 0)


def worst_classes(matrix: np.ndarray, classes: Sequence[str], count: int = 3) -> str:
    """Describe the classes with the lowest IoU, one line each: what they were predicted as.

    Args:
        matrix: (C, C) or (C, C + 1), truth by prediction.
        classes: C names.
        count: Maximum number of lines.
    """
    names = [*classes, 'a class that the data lacks']
    iou = intersection_over_union(matrix)
    lines = []
    for truth in [index for index in np.argsort(iou) if not np.isnan(iou[index])][:count]:
        share = matrix[truth] / max(matrix[truth].sum(), 1)
        predicted = [i for i in np.argsort(-share, kind='stable')[:4] if share[i] >= 0.005]
        parts = ', '.join(f'{names[i]} {share[i]:.0%}' for i in predicted)
        lines.append(
            f'{classes[truth]} (IoU {iou[truth]:.3f}) was predicted as: {parts or "nothing"}'
        )
    return '\n'.join(lines)


@METRICS.register_module()
class ConfusionMatrix(BaseMetric):
    """Logs the worst classes' confusions and draws the confusion matrix, next to mmseg's IoUMetric.

    The figure goes to the visualizer's backends, such as images/confusion_matrix. Label maps have
    the form that IoUMetric expects.

    Args:
        ignore_index: Label of pixels that are not counted.
        worst: Number of classes to name in the log.
    """

    def __init__(
        self, ignore_index: int = 255, worst: int = 3, collect_device: str = 'cpu'
    ) -> None:
        super().__init__(collect_device=collect_device, prefix='confusion')
        self.ignore_index = ignore_index
        self.worst = worst

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Count the pixels of a batch's label maps."""
        classes = len(self._classes())
        for sample in data_samples:
            prediction = sample['pred_sem_seg']['data'].squeeze()
            label = sample['gt_sem_seg']['data'].squeeze().to(prediction.device)
            matrix = confusion_matrix(prediction, label, classes, self.ignore_index)
            # An image has only a few dozen of 150² pairs.
            self.results.append(matrix.to_sparse().cpu())

    def compute_metrics(self, results: list[Tensor]) -> dict[str, float]:
        """Add up, log and draw.

        Returns:
            No metrics: IoUMetric computes them.
        """
        classes = self._classes()
        matrix = without_others(sum(results[1:], results[0]).to_dense().numpy())
        lines = worst_classes(matrix, classes, self.worst)
        # To the log file, and to the console with --debug: see `engine.console.Short`.
        only = {'file_only': True}
        MMLogger.get_current_instance().info(f'worst classes:\n{lines}', extra=only)
        step = MessageHub.get_current_instance().get_info('iter', 0)
        figure = confusion_figure(matrix, classes, intersection_over_union(matrix))
        Visualizer.get_current_instance().add_image('confusion_matrix', figure, step)
        return {}

    def _classes(self) -> Sequence[str]:
        """Return the class names of the dataset, which the runner passes on.

        Raises:
            ValueError: There are none.
        """
        classes = (self.dataset_meta or {}).get('classes')
        if not classes:
            raise ValueError(f"ConfusionMatrix needs the dataset's classes, got {classes}")
        return classes
